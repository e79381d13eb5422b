# SPDX-License-Identifier: Apache-2.0
"""The n-body simulation (Computer Language Benchmarks Game). Argument: steps a batch."""
import math
import sys
import time

SOLAR_MASS = 4 * math.pi**2
YEAR = 365.24
BODIES = [
    [x, y, z, vx * YEAR, vy * YEAR, vz * YEAR, mass * SOLAR_MASS]
    for x, y, z, vx, vy, vz, mass in [
        (0, 0, 0, 0, 0, 0, 1),
        (4.8414314424647209, -1.16032004402742839, -0.103622044471123109, 0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023, 0.000954791938424326609),
        (8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -0.00276742510726411, 0.00499852801234917238, 0.0000230417297573763929, 0.000285885980666130812),
        (12.894369562139131, -15.1111514016986312, -0.223307578892655734, 0.00296460137564761618, 0.0023784717395948095, -0.0000296589568540237556, 0.0000436624404335156298),
        (15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.00268067772490389322, 0.00162824170038242295, -0.000095159225451971587, 0.0000515138902046611451),
    ]
]
PAIRS = [(a, b) for i, a in enumerate(BODIES) for b in BODIES[i + 1 :]]


def advance(dt):
    for a, b in PAIRS:
        dx, dy, dz = a[0] - b[0], a[1] - b[1], a[2] - b[2]
        magnitude = dt / (dx * dx + dy * dy + dz * dz) ** 1.5
        from_b, from_a = b[6] * magnitude, a[6] * magnitude
        a[3] -= dx * from_b
        a[4] -= dy * from_b
        a[5] -= dz * from_b
        b[3] += dx * from_a
        b[4] += dy * from_a
        b[5] += dz * from_a
    for body in BODIES:
        body[0] += dt * body[3]
        body[1] += dt * body[4]
        body[2] += dt * body[5]


def batch(steps):
    start = time.perf_counter_ns()
    for _ in range(steps):
        advance(0.01)
    return (time.perf_counter_ns() - start) / steps


STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
print(f"nbody {min(batch(STEPS) for _ in range(15)):.3f}")
