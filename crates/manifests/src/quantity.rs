//! Amounts of resources, as Kubernetes writes them: exact, and readable again.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul, Sub};

/// An amount in billionths: the smallest unit that Kubernetes knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

const ONE: i128 = 1_000_000_000;

impl Quantity {
    pub fn whole(number: u64) -> Self {
        Self(i128::from(number) * ONE)
    }

    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads `1`, `250m`, `1.5Gi`, `1e3`. Anything finer than a billionth is rounded up, as Kubernetes does.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|letter: char| !matches!(letter, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits: String = [whole, fraction].concat();
        let value: i128 = digits.parse().ok().filter(|_| !digits.is_empty())?;
        let scale = scale(suffix)?;
        let divisor = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let scaled = value.checked_mul(scale)?;
        let rounded = scaled.div_euclid(divisor) + i128::from(scaled.rem_euclid(divisor) != 0);
        Some(Self(rounded))
    }

    /// The amount of a resource as people read it: memory in binary units, all else in thousandths at the finest.
    pub fn shown(self, resource: &str) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.abs();
        let bytes = ["memory", "storage", "hugepages"].iter().any(|word| resource.contains(word));
        if bytes && amount >= 1024 * ONE {
            let units = ["Ki", "Mi", "Gi", "Ti", "Pi"];
            let mut unit = 1024 * ONE;
            let mut name = units[0];
            for next in &units[1..] {
                if amount < unit * 1024 {
                    break;
                }
                unit *= 1024;
                name = next;
            }
            let hundredths = (amount * 100 + unit / 2) / unit;
            return format!("{sign}{}{name}", decimal(hundredths, 100));
        }
        if amount % ONE == 0 {
            return format!("{sign}{}", amount / ONE);
        }
        format!("{sign}{}m", (amount + ONE / 1000 - 1) / (ONE / 1000))
    }
}

fn decimal(value: i128, of: i128) -> String {
    let text = format!("{}.{:02}", value / of, value % of);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn scale(suffix: &str) -> Option<i128> {
    let binary = |power: u32| 1024i128.pow(power) * ONE;
    Some(match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => ONE,
        "k" => 1_000 * ONE,
        "M" => 1_000_000 * ONE,
        "G" => 1_000_000_000 * ONE,
        "T" => 1_000_000_000_000 * ONE,
        "P" => 1_000_000_000_000_000 * ONE,
        "E" => 1_000_000_000_000_000_000 * ONE,
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: u32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            10i128.checked_pow(power.min(18))? * ONE
        }
    })
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Quantity {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<i64> for Quantity {
    type Output = Self;

    fn mul(self, times: i64) -> Self {
        Self(self.0.saturating_mul(i128::from(times)))
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown(""))
    }
}

#[cfg(test)]
mod tests {
    use super::Quantity;

    #[test]
    fn amounts_are_read_exactly_and_shown_shortly() {
        for (text, resource, shown) in [
            ("1", "cpu", "1"),
            ("250m", "cpu", "250m"),
            ("0.1", "cpu", "100m"),
            ("1500m", "requests.cpu", "1500m"),
            ("1.5Gi", "memory", "1.5Gi"),
            ("512Mi", "limits.memory", "512Mi"),
            ("1073741824", "memory", "1Gi"),
            ("1G", "memory", "953.67Mi"),
            ("1e3", "pods", "1000"),
            ("100u", "cpu", "1m"),
            ("-2", "pods", "-2"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().shown(resource), shown, "{text}");
        }
        for text in ["", "x", "1x", "1..2", "Mi", "--1"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
        assert_eq!(Quantity::parse("0.25Gi"), Quantity::parse("256Mi"));
    }
}
