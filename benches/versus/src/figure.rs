//! A figure with its unit, as people write it.

use std::fmt;

#[derive(Clone, Copy, Debug)]
pub enum Figure {
    Seconds(f64),
    /// Items a second.
    Rate(f64),
    /// Bytes a second.
    Throughput(f64),
    Bytes(f64),
    Count(f64),
    /// A quotient of two of the others.
    Ratio(f64),
}

impl Figure {
    pub fn number(self) -> f64 {
        match self {
            Self::Seconds(number)
            | Self::Rate(number)
            | Self::Throughput(number)
            | Self::Bytes(number)
            | Self::Count(number)
            | Self::Ratio(number) => number,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::Seconds(seconds) => scaled(
                seconds * 1e9,
                &[(1e3, "ns"), (1e3, "us"), (1e3, "ms"), (1e3, "s")],
            ),
            Self::Rate(rate) => scaled(
                rate,
                &[(1e3, "/s"), (1e3, "k/s"), (1e3, "M/s"), (1e3, "G/s")],
            ),
            Self::Throughput(rate) => scaled(rate / 1e6, &[(1e3, "MB/s"), (1e3, "GB/s")]),
            Self::Bytes(bytes) => scaled(
                bytes,
                &[
                    (1024.0, "B"),
                    (1024.0, "KiB"),
                    (1024.0, "MiB"),
                    (1024.0, "GiB"),
                ],
            ),
            Self::Count(count) => format!("{count}"),
            Self::Ratio(ratio) => digits(ratio),
        };
        f.pad(&text)
    }
}

/// In the first unit of which there are not too many.
fn scaled(mut number: f64, units: &[(f64, &str)]) -> String {
    let mut units = units.iter().peekable();
    while let Some((step, unit)) = units.next() {
        if number < *step || units.peek().is_none() {
            return format!("{} {unit}", digits(number));
        }
        number /= step;
    }
    unreachable!("the last unit takes all")
}

/// Three digits, or two behind the point.
fn digits(number: f64) -> String {
    let places = match number.abs() {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{number:.places$}")
}
