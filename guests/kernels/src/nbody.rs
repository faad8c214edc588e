//! N-body: moves the sun and the four large planets by `size` steps of 0.01 years, with the symplectic Euler method.
//! The Computer Language Benchmarks Game, "n-body": the bodies, and units of length, time and mass where gravity's
//! constant is one.

use crate::checksum::Checksum;

const STEP: f64 = 0.01;

pub fn nbody(size: u32) -> u64 {
    let mut bodies = solar_system();
    for _ in 0..size {
        advance(&mut bodies);
    }
    let mut checksum = Checksum::default();
    checksum.add_f64(energy(&bodies));
    bodies.iter().flat_map(|body| body.place).for_each(|number| checksum.add_f64(number));
    checksum.value()
}

#[derive(Clone, Copy)]
struct Body {
    place: [f64; 3],
    velocity: [f64; 3],
    mass: f64,
}

/// The sun starts with the momentum that the planets have together, the other way, so that the whole stays where it is.
fn solar_system() -> [Body; 5] {
    let mut sun = Body { place: [0.0; 3], velocity: [0.0; 3], mass: SOLAR_MASS };
    let planets = PLANETS.map(|(place, velocity, mass)| Body {
        place,
        velocity: velocity.map(|daily| daily * DAYS_PER_YEAR),
        mass: mass * SOLAR_MASS,
    });
    for planet in &planets {
        for axis in 0..3 {
            sun.velocity[axis] -= planet.velocity[axis] * planet.mass / SOLAR_MASS;
        }
    }
    let [jupiter, saturn, uranus, neptune] = planets;
    [sun, jupiter, saturn, uranus, neptune]
}

fn advance(bodies: &mut [Body; 5]) {
    for first in 0..bodies.len() {
        for second in first + 1..bodies.len() {
            attract(bodies, first, second);
        }
    }
    for body in bodies {
        for axis in 0..3 {
            body.place[axis] += STEP * body.velocity[axis];
        }
    }
}

fn attract(bodies: &mut [Body; 5], first: usize, second: usize) {
    let way = between(&bodies[first], &bodies[second]);
    let square = square(way);
    let pull = STEP / (square * square.sqrt());
    let (first_mass, second_mass) = (bodies[first].mass, bodies[second].mass);
    for (axis, way) in way.into_iter().enumerate() {
        bodies[first].velocity[axis] -= way * second_mass * pull;
        bodies[second].velocity[axis] += way * first_mass * pull;
    }
}

/// Adds up the energy of motion and the energy of place, which is negative.
fn energy(bodies: &[Body; 5]) -> f64 {
    let mut energy = 0.0;
    for (index, body) in bodies.iter().enumerate() {
        energy += 0.5 * body.mass * square(body.velocity);
        for other in &bodies[index + 1..] {
            energy -= body.mass * other.mass / square(between(body, other)).sqrt();
        }
    }
    energy
}

fn between(first: &Body, second: &Body) -> [f64; 3] {
    std::array::from_fn(|axis| first.place[axis] - second.place[axis])
}

fn square([x, y, z]: [f64; 3]) -> f64 {
    x * x + y * y + z * z
}

const SOLAR_MASS: f64 = 4.0 * std::f64::consts::PI * std::f64::consts::PI;
const DAYS_PER_YEAR: f64 = 365.24;

/// Jupiter, Saturn, Uranus and Neptune: place, velocity by the day, and mass in suns.
const PLANETS: [([f64; 3], [f64; 3], f64); 4] = [
    (
        [4.841431442464721, -1.1603200440274284, -0.10362204447112311],
        [0.001660076642744037, 0.007699011184197404, -6.90460016972063e-5],
        0.0009547919384243266,
    ),
    (
        [8.34336671824458, 4.124798564124305, -0.4035234171143214],
        [-0.0027674251072641186, 0.004998528012349172, 2.3041729757376393e-5],
        0.0002858859806661308,
    ),
    (
        [12.894369562139131, -15.111151401698631, -0.22330757889265573],
        [0.002964601375647616, 0.0023784717395948095, -2.9658956854023756e-5],
        4.366244043351563e-5,
    ),
    (
        [15.379697114850917, -25.919314609987964, 0.17925877295037118],
        [0.0026806777249038932, 0.001628241700382423, -9.515922545197159e-5],
        5.1513890204661145e-5,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The Benchmarks Game publishes these two for its own programs.
    #[test]
    fn known_energies() {
        let mut bodies = solar_system();
        assert_eq!(format!("{:.9}", energy(&bodies)), "-0.169075164");
        for _ in 0..1_000 {
            advance(&mut bodies);
        }
        assert_eq!(format!("{:.9}", energy(&bodies)), "-0.169087605");
    }
}
