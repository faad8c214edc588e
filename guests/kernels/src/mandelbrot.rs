//! Mandelbrot: counts the steps until each point escapes, in an image of 256 columns and `size` rows. Brooks and
//! Matelski, "The dynamics of 2-generator subgroups of PSL(2, C)" (1978).

use crate::checksum::Checksum;

const COLUMNS: u32 = 256;
const STEPS_MAX: u32 = 200;

pub fn mandelbrot(size: u32) -> u64 {
    let mut checksum = Checksum::default();
    for row in 0..size {
        let imaginary = -1.25 + 2.5 * f64::from(row) / f64::from(size);
        for column in 0..COLUMNS {
            let real = -2.0 + 2.5 * f64::from(column) / f64::from(COLUMNS);
            checksum.add(u64::from(steps(real, imaginary)));
        }
    }
    checksum.value()
}

/// Squares and adds until the point is further than 2 from the origin, from where it never returns.
fn steps(real: f64, imaginary: f64) -> u32 {
    let (mut x, mut y) = (0.0, 0.0);
    for step in 0..STEPS_MAX {
        let (x_square, y_square) = (x * x, y * y);
        if x_square + y_square > 4.0 {
            return step;
        }
        (x, y) = (x_square - y_square + real, 2.0 * x * y + imaginary);
    }
    STEPS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(real: f64, imaginary: f64, expected: u32) {
        assert_eq!(steps(real, imaginary), expected, "{real} + {imaginary}i");
    }

    #[test]
    fn known_points() {
        // 0, 1, 2, 5
        check(1.0, 0.0, 3);
        check(3.0, 0.0, 1);
        // 0, i, -1 + i, -i, -1 + i, and so on for ever
        check(0.0, 1.0, STEPS_MAX);
        check(-1.0, 0.0, STEPS_MAX);
        check(-2.0, 0.0, STEPS_MAX);
    }
}
