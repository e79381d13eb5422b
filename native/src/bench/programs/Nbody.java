// SPDX-License-Identifier: Apache-2.0

/** The n-body simulation (Computer Language Benchmarks Game). Argument: steps a batch. */
public final class Nbody {
  private static final double SOLAR_MASS = 4 * Math.PI * Math.PI;
  private static final double YEAR = 365.24;

  private static final class Body {
    double x, y, z, vx, vy, vz, mass;

    Body(double x, double y, double z, double vx, double vy, double vz, double mass) {
      this.x = x;
      this.y = y;
      this.z = z;
      this.vx = vx * YEAR;
      this.vy = vy * YEAR;
      this.vz = vz * YEAR;
      this.mass = mass * SOLAR_MASS;
    }
  }

  private static final Body[] BODIES = {
    new Body(0, 0, 0, 0, 0, 0, 1),
    new Body(4.8414314424647209, -1.16032004402742839, -0.103622044471123109, 0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023, 0.000954791938424326609),
    new Body(8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -0.00276742510726411, 0.00499852801234917238, 0.0000230417297573763929, 0.000285885980666130812),
    new Body(12.894369562139131, -15.1111514016986312, -0.223307578892655734, 0.00296460137564761618, 0.0023784717395948095, -0.0000296589568540237556, 0.0000436624404335156298),
    new Body(15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.00268067772490389322, 0.00162824170038242295, -0.000095159225451971587, 0.0000515138902046611451),
  };

  private static void advance(double dt) {
    for (int i = 0; i < BODIES.length; i++) {
      Body a = BODIES[i];
      for (int j = i + 1; j < BODIES.length; j++) {
        Body b = BODIES[j];
        double dx = a.x - b.x;
        double dy = a.y - b.y;
        double dz = a.z - b.z;
        double square = dx * dx + dy * dy + dz * dz;
        double magnitude = dt / (square * Math.sqrt(square));
        a.vx -= dx * b.mass * magnitude;
        a.vy -= dy * b.mass * magnitude;
        a.vz -= dz * b.mass * magnitude;
        b.vx += dx * a.mass * magnitude;
        b.vy += dy * a.mass * magnitude;
        b.vz += dz * a.mass * magnitude;
      }
    }
    for (Body body : BODIES) {
      body.x += dt * body.vx;
      body.y += dt * body.vy;
      body.z += dt * body.vz;
    }
  }

  private static double batch(int steps) {
    long start = System.nanoTime();
    for (int i = 0; i < steps; i++) {
      advance(0.01);
    }
    return (double) (System.nanoTime() - start) / steps;
  }

  public static void main(String[] args) {
    int steps = args.length > 0 ? Integer.parseInt(args[0]) : 200_000;
    double fastest = Double.MAX_VALUE;
    for (int i = 0; i < 15; i++) {
      fastest = Math.min(fastest, batch(steps));
    }
    System.out.println("nbody " + fastest);
  }
}
