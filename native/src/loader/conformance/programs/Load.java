// SPDX-License-Identifier: Apache-2.0
import com.sun.net.httpserver.HttpServer;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.channels.Pipe;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/** An HTTP server under load from many threads while the collector and the compilers work; locks, parked threads, processes. */
public class Load {
  static final Map<Integer, byte[]> kept = new ConcurrentHashMap<>();

  static int digest(byte[] body) {
    int sum = 17;
    for (int round = 0; round < 20; round++) {
      for (byte value : body) {
        sum = sum * 31 + value + round;
      }
    }
    return sum;
  }

  static <T> List<T> together(int threads, int count, java.util.function.IntFunction<Callable<T>> task) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    List<Future<T>> futures = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      futures.add(pool.submit(task.apply(i)));
    }
    List<T> results = new ArrayList<>();
    for (Future<T> future : futures) {
      results.add(future.get());
    }
    pool.shutdown();
    pool.awaitTermination(10, TimeUnit.SECONDS);
    return results;
  }

  static void serve() throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 100);
    ExecutorService pool = Executors.newFixedThreadPool(8);
    server.setExecutor(pool);
    server.createContext("/", exchange -> {
      byte[] body = exchange.getRequestBody().readAllBytes();
      kept.put(body[0] & 0xff, new byte[20000]);
      byte[] answer = Integer.toString(digest(body)).getBytes();
      exchange.sendResponseHeaders(200, answer.length);
      try (OutputStream out = exchange.getResponseBody()) {
        out.write(answer);
      }
    });
    server.start();
    URI uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
    HttpClient client = HttpClient.newHttpClient();
    List<Integer> right = together(8, 400, i -> () -> {
      byte[] body = new byte[600];
      for (int j = 0; j < body.length; j++) {
        body[j] = (byte) (i * 7 + j);
      }
      HttpRequest request = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
      String answer = client.send(request, HttpResponse.BodyHandlers.ofString()).body();
      return answer.equals(Integer.toString(digest(body))) ? 1 : 0;
    });
    System.out.println("right answers " + right.stream().mapToInt(Integer::intValue).sum());
    server.stop(0);
    pool.shutdown();
  }

  static void lockAndPark() throws Exception {
    LongAdder turns = new LongAdder();
    Object monitor = new Object();
    int[] turn = {0};
    together(20, 20, i -> () -> {
      for (int round = 0; round < 20; round++) {
        synchronized (monitor) {
          while (turn[0] % 20 != i) {
            monitor.wait();
          }
          turn[0]++;
          monitor.notifyAll();
        }
        LockSupport.parkNanos(10000);
        turns.increment();
      }
      return null;
    });
    System.out.println("turns " + turns.sum());
    SynchronousQueue<Integer> queue = new SynchronousQueue<>();
    Thread producer = new Thread(() -> {
      try {
        for (int i = 0; i < 1000; i++) {
          queue.put(i);
        }
      } catch (InterruptedException unexpected) {
        System.out.println(unexpected);
      }
    });
    producer.start();
    long sum = 0;
    for (int i = 0; i < 1000; i++) {
      sum += queue.take();
    }
    producer.join();
    System.out.println("queue " + sum);
  }

  static void useThreads() throws Exception {
    int sum = 0;
    for (int i = 0; i < 200; i++) {
      int[] value = {i};
      Thread thread = new Thread(() -> value[0] *= 2);
      thread.start();
      thread.join();
      sum += value[0];
    }
    System.out.println("threads " + sum);
    Thread sleeper = new Thread(() -> {
      try {
        Thread.sleep(60000);
      } catch (InterruptedException expected) {
        System.out.println("interrupted");
      }
    });
    sleeper.start();
    sleeper.interrupt();
    sleeper.join();
    Pipe pipe = Pipe.open();
    pipe.sink().write(ByteBuffer.wrap("nio".getBytes()));
    ByteBuffer buffer = ByteBuffer.allocate(3);
    pipe.source().read(buffer);
    System.out.println(new String(buffer.array()));
  }

  static int depth(int n) {
    return depth(n + 1) + 1;
  }

  static void fault() {
    for (int i = 0; i < 2; i++) {
      try {
        depth(0);
      } catch (StackOverflowError expected) {
        System.out.println("stack overflow");
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    serve();
    lockAndPark();
    useThreads();
    fault();
    List<Integer> codes = together(4, 8, i -> () -> new ProcessBuilder("/bin/sh", "-c", "exit " + i).start().waitFor());
    System.out.println("processes " + codes);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
    ProcessHandle.current().info().command().ifPresent(command -> System.out.println(command.endsWith("java")));
    System.gc();
    System.exit(9);
  }
}
