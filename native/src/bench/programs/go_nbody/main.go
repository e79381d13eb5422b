// SPDX-License-Identifier: Apache-2.0

// go_nbody is the n-body simulation (Computer Language Benchmarks Game). Argument: steps a batch.
package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"time"
)

const (
	batches   = 15
	solarMass = 4 * math.Pi * math.Pi
	year      = 365.24
)

type body struct{ x, y, z, vx, vy, vz, mass float64 }

var bodies = [5]body{
	{0, 0, 0, 0, 0, 0, solarMass},
	{4.84143144246472090, -1.16032004402742839, -0.103622044471123109, 0.00166007664274403694 * year,
		0.00769901118419740425 * year, -0.0000690460016972063023 * year, 0.000954791938424326609 * solarMass},
	{8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -0.00276742510726411 * year,
		0.00499852801234917238 * year, 0.0000230417297573763929 * year, 0.000285885980666130812 * solarMass},
	{12.8943695621391310, -15.1111514016986312, -0.223307578892655734, 0.00296460137564761618 * year,
		0.00237847173959480950 * year, -0.0000296589568540237556 * year, 0.0000436624404335156298 * solarMass},
	{15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.00268067772490389322 * year,
		0.00162824170038242295 * year, -0.0000951592254519715870 * year, 0.0000515138902046611451 * solarMass},
}

func advance(dt float64) {
	for i := range bodies {
		a := &bodies[i]
		for j := i + 1; j < len(bodies); j++ {
			b := &bodies[j]
			dx, dy, dz := a.x-b.x, a.y-b.y, a.z-b.z
			square := dx*dx + dy*dy + dz*dz
			magnitude := dt / (square * math.Sqrt(square))
			a.vx -= dx * b.mass * magnitude
			a.vy -= dy * b.mass * magnitude
			a.vz -= dz * b.mass * magnitude
			b.vx += dx * a.mass * magnitude
			b.vy += dy * a.mass * magnitude
			b.vz += dz * a.mass * magnitude
		}
	}
	for i := range bodies {
		b := &bodies[i]
		b.x += dt * b.vx
		b.y += dt * b.vy
		b.z += dt * b.vz
	}
}

func main() {
	steps := 200000
	if len(os.Args) > 1 {
		steps, _ = strconv.Atoi(os.Args[1])
	}
	fastest := math.Inf(1)
	for batch := 0; batch < batches; batch++ {
		start := time.Now()
		for i := 0; i < steps; i++ {
			advance(0.01)
		}
		fastest = math.Min(fastest, float64(time.Since(start).Nanoseconds())/float64(steps))
	}
	fmt.Printf("nbody %.3f\n", fastest)
}
