// SPDX-License-Identifier: Apache-2.0
// The n-body simulation (Computer Language Benchmarks Game). Argument: steps a batch.
const solarMass = 4 * Math.PI ** 2;
const year = 365.24;
const bodies = [
  [0, 0, 0, 0, 0, 0, 1],
  [4.8414314424647209, -1.16032004402742839, -0.103622044471123109, 0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023, 0.000954791938424326609],
  [8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -0.00276742510726411, 0.00499852801234917238, 0.0000230417297573763929, 0.000285885980666130812],
  [12.894369562139131, -15.1111514016986312, -0.223307578892655734, 0.00296460137564761618, 0.0023784717395948095, -0.0000296589568540237556, 0.0000436624404335156298],
  [15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.00268067772490389322, 0.00162824170038242295, -0.000095159225451971587, 0.0000515138902046611451],
].map(([x, y, z, vx, vy, vz, mass]) => ({
  x,
  y,
  z,
  vx: vx * year,
  vy: vy * year,
  vz: vz * year,
  mass: mass * solarMass,
}));

function advance(dt) {
  for (let i = 0; i < bodies.length; i++) {
    const a = bodies[i];
    for (let j = i + 1; j < bodies.length; j++) {
      const b = bodies[j];
      const dx = a.x - b.x;
      const dy = a.y - b.y;
      const dz = a.z - b.z;
      const square = dx * dx + dy * dy + dz * dz;
      const magnitude = dt / (square * Math.sqrt(square));
      a.vx -= dx * b.mass * magnitude;
      a.vy -= dy * b.mass * magnitude;
      a.vz -= dz * b.mass * magnitude;
      b.vx += dx * a.mass * magnitude;
      b.vy += dy * a.mass * magnitude;
      b.vz += dz * a.mass * magnitude;
    }
  }
  for (const body of bodies) {
    body.x += dt * body.vx;
    body.y += dt * body.vy;
    body.z += dt * body.vz;
  }
}

const steps = Number(process.argv[2] ?? 200_000);
let fastest = Infinity;
for (let batch = 0; batch < 15; batch++) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < steps; i++) {
    advance(0.01);
  }
  fastest = Math.min(fastest, Number(process.hrtime.bigint() - start) / steps);
}
console.log(`nbody ${fastest.toFixed(3)}`);
