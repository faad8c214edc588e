//! Image filter: blurs an RGBA image of 256 by 256 pixels `size` times, across and down. The weights are 1 4 6 4 1,
//! which is nearly a Gaussian. Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code" (1983).

use crate::{checksum::Checksum, splitmix::SplitMix64};

const SIDE: usize = 256;
const CHANNELS: usize = 4;
const ROW: usize = SIDE * CHANNELS;

/// The pixels by rows, from the top left; red, green, blue and alpha of each.
type Image = Vec<u8>;

pub fn blur(size: u32) -> u64 {
    let mut image = vec![0; SIDE * ROW];
    SplitMix64::new(4).fill(&mut image);
    for _ in 0..size {
        image = down(&across(&image));
    }
    let mut checksum = Checksum::default();
    checksum.add_bytes(&image);
    checksum.value()
}

/// Blurs each row. Two pixels on each side repeat the one at the edge, so that the loop has no special cases.
fn across(image: &Image) -> Image {
    let mut blurred = vec![0; image.len()];
    let mut padded = [0; ROW + 4 * CHANNELS];
    for (row, blurred) in image.chunks_exact(ROW).zip(blurred.chunks_exact_mut(ROW)) {
        let (first, last) = (&row[..CHANNELS], &row[ROW - CHANNELS..]);
        padded[..CHANNELS].copy_from_slice(first);
        padded[CHANNELS..2 * CHANNELS].copy_from_slice(first);
        padded[2 * CHANNELS..][..ROW].copy_from_slice(row);
        padded[2 * CHANNELS + ROW..][..CHANNELS].copy_from_slice(last);
        padded[3 * CHANNELS + ROW..].copy_from_slice(last);
        weigh(blurred, std::array::from_fn(|pixels| &padded[pixels * CHANNELS..][..ROW]));
    }
    blurred
}

/// Blurs each column, a row at a time. The rows at the edges repeat.
fn down(image: &Image) -> Image {
    let mut blurred = vec![0; image.len()];
    for (y, blurred) in blurred.chunks_exact_mut(ROW).enumerate() {
        let near = |offset: usize| &image[(y + offset).saturating_sub(2).min(SIDE - 1) * ROW..][..ROW];
        weigh(blurred, std::array::from_fn(near));
    }
    blurred
}

/// Sets each byte to the weighted mean of five, rounded to the nearest.
fn weigh(means: &mut [u8], [a, b, c, d, e]: [&[u8]; 5]) {
    let five = a.iter().zip(b).zip(c).zip(d).zip(e);
    for (mean, ((((a, b), c), d), e)) in means.iter_mut().zip(five) {
        let [a, b, c, d, e] = [a, b, c, d, e].map(|byte| u16::from(*byte));
        *mean = ((a + e + 4 * (b + d) + 6 * c + 8) / 16) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_colour_stays() {
        let image: Image = [10, 20, 30, 255].repeat(SIDE * SIDE);
        assert_eq!(down(&across(&image)), image);
    }

    #[test]
    fn a_point_spreads_by_the_weights() {
        let mut image = vec![0; SIDE * ROW];
        image[100 * ROW + 50 * CHANNELS] = 255;
        let blurred = down(&across(&image));
        let red = |x: usize, y: usize| blurred[y * ROW + x * CHANNELS];
        assert_eq!([48, 49, 50, 51, 52, 53].map(|x| red(x, 100)), [6, 24, 36, 24, 6, 0]);
        assert_eq!([98, 99, 100, 101, 102, 103].map(|y| red(50, y)), [6, 24, 36, 24, 6, 0]);
        assert!(blurred.chunks_exact(CHANNELS).all(|pixel| pixel[1..] == [0, 0, 0]));
    }

    #[test]
    fn the_edge_repeats() {
        let mut image = vec![0; SIDE * ROW];
        image[..CHANNELS].fill(160);
        assert_eq!(across(&image)[..3 * CHANNELS], [[110; 4], [50; 4], [10; 4]].concat());
    }
}
