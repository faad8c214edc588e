//! Matrix multiplication: multiplies 128 by 128 matrices of `f64` `size` times, row by row, by the definition.
//!
//! Each product is the next left factor. The rows of the right factor sum to one, so that numbers stay in their range
//! however many products there are.

use crate::{checksum::Checksum, splitmix::SplitMix64};

const SIDE: usize = 128;

type Matrix = Vec<[f64; SIDE]>;

pub fn matmul(size: u32) -> u64 {
    let mut random = SplitMix64::new(128);
    let mut left = matrix(&mut random);
    let mut right = matrix(&mut random);
    for row in &mut right {
        let sum = row.iter().sum::<f64>();
        row.iter_mut().for_each(|number| *number /= sum);
    }
    for _ in 0..size {
        left = product(&left, &right);
    }

    let mut checksum = Checksum::default();
    left.iter().flatten().for_each(|number| checksum.add_f64(*number));
    checksum.value()
}

fn matrix(random: &mut SplitMix64) -> Matrix {
    (0..SIDE).map(|_| std::array::from_fn(|_| random.unit())).collect()
}

/// Goes through the right factor by rows in the inner loop, so that memory is read in order.
fn product(left: &Matrix, right: &Matrix) -> Matrix {
    let mut product = vec![[0.0; SIDE]; SIDE];
    for (sums, left) in product.iter_mut().zip(left) {
        for (factor, right) in left.iter().zip(right) {
            for (sum, number) in sums.iter_mut().zip(right) {
                *sum += factor * number;
            }
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagonal_scales_and_a_shifted_one_shifts() {
        let matrix = matrix(&mut SplitMix64::new(1));
        let mut diagonal = vec![[0.0; SIDE]; SIDE];
        let mut shifted = diagonal.clone();
        for row in 0..SIDE {
            diagonal[row][row] = 2.0;
            shifted[row][(row + 1) % SIDE] = 1.0;
        }
        let scaled = product(&matrix, &diagonal);
        let moved = product(&matrix, &shifted);
        for row in 0..SIDE {
            for column in 0..SIDE {
                assert_eq!(scaled[row][column], matrix[row][column] * 2.0);
                assert_eq!(moved[row][(column + 1) % SIDE], matrix[row][column]);
            }
        }
    }
}
