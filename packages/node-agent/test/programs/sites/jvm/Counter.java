import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

public class Counter {
  public static void main(String[] args) throws Exception {
    AtomicLong visits = new AtomicLong(), ticks = new AtomicLong();
    Executors.newScheduledThreadPool(1).scheduleAtFixedRate(ticks::incrementAndGet, 50, 50, TimeUnit.MILLISECONDS);
    HttpServer server = HttpServer.create(new InetSocketAddress(3000), 0);
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.createContext("/", exchange -> {
      if (exchange.getRequestURI().getPath().equals("/")) visits.incrementAndGet();
      byte[] text = ("visits " + visits + " ticks " + ticks + "\n").getBytes();
      exchange.sendResponseHeaders(200, text.length);
      exchange.getResponseBody().write(text);
      exchange.close();
    });
    server.start();
  }
}
