// SPDX-License-Identifier: Apache-2.0
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.Executors;

/** HTTP server and client, garbage, null faults and a child process in Java. */
public class Program {
  static int[] nothing;

  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.createContext("/", exchange -> {
      byte[] body = exchange.getRequestBody().readAllBytes();
      byte[] answer = new StringBuilder(new String(body)).reverse().toString().getBytes();
      exchange.sendResponseHeaders(200, answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    server.start();
    HttpClient client = HttpClient.newHttpClient();
    URI uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
    int right = 0;
    for (int i = 0; i < 100; i++) {
      HttpRequest request = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofString("abc" + i)).build();
      String answer = client.send(request, HttpResponse.BodyHandlers.ofString()).body();
      right += answer.equals(new StringBuilder("abc" + i).reverse().toString()) ? 1 : 0;
    }
    System.out.println("right answers " + right);
    server.stop(0);
    long kept = 0;
    for (int i = 0; i < 200000; i++) {
      kept += new byte[1000].length;
    }
    System.out.println("garbage " + kept);
    int faults = 0;
    for (int i = 0; i < 20000; i++) {
      try {
        nothing[0] = i;
      } catch (NullPointerException fault) {
        faults++;
      }
    }
    System.out.println("null faults " + faults);
    Process child = new ProcessBuilder("/bin/sh", "-c", "echo child; exit 3").start();
    System.out.println(new BufferedReader(new InputStreamReader(child.getInputStream())).readLine() + " " + child.waitFor());
    System.exit(8);
  }
}
