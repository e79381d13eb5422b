// SPDX-License-Identifier: Apache-2.0
// A guest of clone_test: counts its requests in memory.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicLong;

public class Server {
  public static void main(String[] arguments) throws Exception {
    AtomicLong count = new AtomicLong();
    HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
    server.createContext("/", exchange -> {
      byte[] body = ("count " + count.incrementAndGet()).getBytes();
      exchange.getRequestBody().readAllBytes();
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
  }
}
