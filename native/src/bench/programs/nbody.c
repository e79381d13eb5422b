// SPDX-License-Identifier: Apache-2.0
// The n-body simulation (Computer Language Benchmarks Game): CPU-bound, no calls. Argument: steps a batch.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kBodies = 5, kBatches = 15 };

struct Body {
  double x, y, z, vx, vy, vz, mass;
};

#define SOLAR_MASS (4 * M_PI * M_PI)
#define YEAR 365.24

static struct Body g_bodies[kBodies] = {
    {0, 0, 0, 0, 0, 0, SOLAR_MASS},
    {4.84143144246472090, -1.16032004402742839, -0.103622044471123109, 0.00166007664274403694 * YEAR,
     0.00769901118419740425 * YEAR, -0.0000690460016972063023 * YEAR, 0.000954791938424326609 * SOLAR_MASS},
    {8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -0.00276742510726411 * YEAR,
     0.00499852801234917238 * YEAR, 0.0000230417297573763929 * YEAR, 0.000285885980666130812 * SOLAR_MASS},
    {12.8943695621391310, -15.1111514016986312, -0.223307578892655734, 0.00296460137564761618 * YEAR,
     0.00237847173959480950 * YEAR, -0.0000296589568540237556 * YEAR, 0.0000436624404335156298 * SOLAR_MASS},
    {15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.00268067772490389322 * YEAR,
     0.00162824170038242295 * YEAR, -0.0000951592254519715870 * YEAR, 0.0000515138902046611451 * SOLAR_MASS},
};

static void Advance(double dt) {
  for (int i = 0; i < kBodies; ++i) {
    struct Body* const a = &g_bodies[i];
    for (int j = i + 1; j < kBodies; ++j) {
      struct Body* const b = &g_bodies[j];
      const double dx = a->x - b->x;
      const double dy = a->y - b->y;
      const double dz = a->z - b->z;
      const double square = dx * dx + dy * dy + dz * dz;
      const double magnitude = dt / (square * sqrt(square));
      a->vx -= dx * b->mass * magnitude;
      a->vy -= dy * b->mass * magnitude;
      a->vz -= dz * b->mass * magnitude;
      b->vx += dx * a->mass * magnitude;
      b->vy += dy * a->mass * magnitude;
      b->vz += dz * a->mass * magnitude;
    }
  }
  for (int i = 0; i < kBodies; ++i) {
    g_bodies[i].x += dt * g_bodies[i].vx;
    g_bodies[i].y += dt * g_bodies[i].vy;
    g_bodies[i].z += dt * g_bodies[i].vz;
  }
}

static double Now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char** argv) {
  const int steps = argc > 1 ? atoi(argv[1]) : 250000;
  double fastest = 1e18;
  for (int batch = 0; batch < kBatches; ++batch) {
    const double start = Now_ns();
    for (int i = 0; i < steps; ++i) {
      Advance(0.01);
    }
    const double took = (Now_ns() - start) / steps;
    fastest = took < fastest ? took : fastest;
  }
  printf("nbody %.3f\n", fastest);
  return g_bodies[0].x == 0;  // keeps the work
}
