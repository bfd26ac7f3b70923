import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32;

/** Counts visits; each makes garbage, and looks whether 32 MB that it has had from the beginning are what they were. */
public class Counter {
  static final SecureRandom secure = new SecureRandom();
  static final byte[][] kept = new byte[32][1 << 20];

  static long sum() {
    CRC32 crc = new CRC32();
    for (byte[] each : kept) crc.update(each.clone());
    return crc.getValue();
  }

  public static void main(String[] args) throws Exception {
    Random random = new Random(1);
    for (byte[] each : kept) random.nextBytes(each);
    long sum = sum();
    AtomicLong visits = new AtomicLong(), ticks = new AtomicLong();
    Executors.newScheduledThreadPool(1).scheduleAtFixedRate(ticks::incrementAndGet, 50, 50, TimeUnit.MILLISECONDS);
    HttpServer server = HttpServer.create(new InetSocketAddress(3000), 0);
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.createContext("/", exchange -> {
      boolean counts = exchange.getRequestURI().getPath().equals("/");
      if (counts) visits.incrementAndGet();
      byte[] text = ("visits " + visits + " ticks " + ticks + "\n").getBytes();
      exchange.sendResponseHeaders(counts && sum() != sum ? 500 : 200, text.length);
      exchange.getResponseBody().write(text);
      exchange.close();
    });
    // Not Math.random and ThreadLocalRandom: docs/clone-safety.md.
    server.createContext("/draws", exchange -> {
      byte[] text = (UUID.randomUUID() + "\n" + secure.nextLong() + "\n" + new Random().nextLong()).getBytes();
      exchange.sendResponseHeaders(200, text.length);
      exchange.getResponseBody().write(text);
      exchange.close();
    });
    server.start();
  }
}
