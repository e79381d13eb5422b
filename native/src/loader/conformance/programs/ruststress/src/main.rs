// SPDX-License-Identifier: Apache-2.0

//! tokio on several threads: TCP, channels, timers, processes, signals, blocking calls; and plain threads with scoped borrows.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::process::Command;
use tokio::signal::unix::{signal, SignalKind};

type Any = Result<(), Box<dyn std::error::Error + Send + Sync>>;

fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(17, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

async fn serve(listener: TcpListener) -> Any {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer = format!("{}\n", digest(line.as_bytes()));
                if writer.write_all(answer.as_bytes()).await.is_err() {
                    break;
                }
            }
        });
    }
}

async fn network() -> Any {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(serve(listener));
    let mut clients = Vec::new();
    for client in 0..200 {
        clients.push(tokio::spawn(async move {
            let (reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
            let mut lines = BufReader::new(reader).lines();
            let mut right = 0;
            for round in 0..10 {
                let line = format!("client {} round {}", client, round);
                writer.write_all(format!("{}\n", line).as_bytes()).await.unwrap();
                let answer = lines.next_line().await.unwrap().unwrap();
                right += u64::from(answer == digest(line.as_bytes()).to_string());
            }
            right
        }));
    }
    let mut right = 0;
    for client in clients {
        right += client.await?;
    }
    server.abort();
    println!("right answers {}", right);
    Ok(())
}

async fn tasks() -> Any {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    for number in 0..2000u64 {
        let sender = sender.clone();
        tokio::spawn(async move {
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(number % 7)).await;
            }
            tokio::task::yield_now().await;
            sender.send(number).await.unwrap();
        });
    }
    drop(sender);
    let mut sum = 0;
    while let Some(number) = receiver.recv().await {
        sum += number;
    }
    println!("tasks {}", sum);
    let mut blocking = Vec::new();
    for number in 0..40u64 {
        blocking.push(tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(2));
            number
        }));
    }
    let mut sum = 0;
    for task in blocking {
        sum += task.await?;
    }
    println!("blocking {}", sum);
    let (mut here, mut there) = UnixStream::pair()?;
    let echo = tokio::spawn(async move {
        let mut text = vec![0; 100_000];
        there.read_exact(&mut text).await.unwrap();
        there.write_all(&text).await.unwrap();
    });
    let sent = vec![7; 100_000];
    let mut received = vec![0; 100_000];
    here.write_all(&sent).await?;
    here.read_exact(&mut received).await?;
    echo.await?;
    println!("unix {}", sent == received);
    println!("timed out {}", tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>()).await.is_err());
    Ok(())
}

async fn programs() -> Any {
    let mut running = Vec::new();
    for number in 0..12 {
        running.push(tokio::spawn(async move {
            let script = format!("echo {}; exit {}", number, number);
            let output = Command::new("/bin/sh").arg("-c").arg(script).output().await.unwrap();
            output.status.code() == Some(number) && output.stdout == format!("{}\n", number).into_bytes()
        }));
    }
    let mut right = 0;
    for program in running {
        right += u64::from(program.await?);
    }
    println!("programs {}", right);
    let mut sleeper = Command::new("/bin/sleep").arg("60").spawn()?;
    sleeper.kill().await?;
    let mut signals = signal(SignalKind::user_defined1())?;
    Command::new("/bin/sh").arg("-c").arg(format!("kill -USR1 {}", std::process::id())).status().await?;
    signals.recv().await;
    println!("signal");
    Ok(())
}

fn threads() {
    let total = AtomicU64::new(0);
    let words: Vec<u64> = (0..10_000).collect();
    std::thread::scope(|scope| {
        for part in words.chunks(500) {
            let total = &total;
            scope.spawn(move || {
                for word in part {
                    total.fetch_add(*word, Ordering::Relaxed);
                }
            });
        }
    });
    println!("scoped {}", total.load(Ordering::Relaxed));
    let turn = Arc::new((Mutex::new(0u64), Condvar::new()));
    let start = Arc::new(Barrier::new(32));
    let (sender, receiver) = mpsc::sync_channel(4);
    let threads: Vec<_> = (0..32u64)
        .map(|id| {
            let (turn, start, sender) = (turn.clone(), start.clone(), sender.clone());
            std::thread::spawn(move || {
                start.wait();
                for _ in 0..20 {
                    let mut now = turn.0.lock().unwrap();
                    while *now % 32 != id {
                        now = turn.1.wait(now).unwrap();
                    }
                    *now += 1;
                    turn.1.notify_all();
                }
                sender.send(id).unwrap();
            })
        })
        .collect();
    drop(sender);
    println!("threads {}", receiver.iter().sum::<u64>());
    for thread in threads {
        thread.join().unwrap();
    }
    println!("panic caught {}", std::thread::spawn(|| std::panic::panic_any(7)).join().is_err());
}

fn main() -> Any {
    std::panic::set_hook(Box::new(|_| ()));
    threads();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    runtime.block_on(async {
        network().await?;
        tasks().await?;
        programs().await
    })
}
