//! Quantities of resources: `500m`, `1.5Gi`, `1e3`. How they are read, compared, and written in their shortest form.
//!
//! Invariant: the shortest form of a quantity is worth what the quantity is, and is its own shortest form.

const MALFORMED: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const UNKNOWN_SUFFIX: &str = "unable to parse quantity's suffix";
const NO_NUMBER: &str = "unable to parse numeric part of quantity";

/// Decimal suffixes and their powers of ten.
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
/// Binary suffixes; each is 1024 times the one before.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// Nothing smaller than this part of one is told apart.
const NANO: i128 = 1_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Decimal,
    Binary,
    Exponent,
}

/// A quantity, in billionths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quantity {
    nano: i128,
    form: Form,
}

impl Quantity {
    /// Reads a quantity; an error is in the words of an API server.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let letters = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
        let digits = letters.strip_prefix(['+', '-']).unwrap_or(letters);
        if number.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(MALFORMED);
        }
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || whole.is_empty() && fraction.is_empty() {
            return Err(NO_NUMBER);
        }
        let (factor, form) = scale(suffix).ok_or(UNKNOWN_SUFFIX)?;
        // What is too large is as large as can be.
        let worth = worth(whole, fraction, factor).unwrap_or(i128::MAX);
        Ok(Self { nano: if negative { -worth } else { worth }, form })
    }

    /// The shortest text that is worth the same; none where the quantity is too large to be told exactly.
    pub fn shortest(self) -> Option<String> {
        if self.nano.unsigned_abs() >= i128::MAX.unsigned_abs() {
            return None;
        }
        if self.form == Form::Binary && self.nano.unsigned_abs() >= (1024 * NANO).unsigned_abs() {
            let sign = if self.nano < 0 { "-" } else { "" };
            let mut amount = self.nano.unsigned_abs().div_ceil(NANO.unsigned_abs());
            let mut power = 0;
            while amount.is_multiple_of(1024) && power + 1 < BINARY.len() {
                amount /= 1024;
                power += 1;
            }
            return Some(format!("{sign}{amount}{}", BINARY[power]));
        }
        let (mut amount, mut exponent) = (self.nano, -9);
        if amount == 0 {
            return Some("0".to_owned());
        }
        while amount % 10 == 0 {
            amount /= 10;
            exponent += 1;
        }
        // Suffixes stand for every third power.
        while exponent % 3 != 0 {
            amount *= 10;
            exponent -= 1;
        }
        if self.form == Form::Exponent {
            return Some(if exponent == 0 { amount.to_string() } else { format!("{amount}e{exponent}") });
        }
        let (suffix, _) = DECIMAL.iter().find(|(_, power)| *power == exponent)?;
        Some(format!("{amount}{suffix}"))
    }

    pub fn is_negative(self) -> bool {
        self.nano < 0
    }

    pub fn is_more_than(self, other: Self) -> bool {
        self.nano > other.nano
    }
}

/// By what a number is multiplied, as a fraction of two numbers.
fn scale(suffix: &str) -> Option<((i128, i128), Form)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(known, _)| *known == suffix) {
        return Some((power_of_ten(*power)?, Form::Decimal));
    }
    if let Some(power) = BINARY.iter().position(|known| *known == suffix) {
        return Some(((1024_i128.pow(u32::try_from(power).ok()?), 1), Form::Binary));
    }
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((power_of_ten(power)?, Form::Exponent))
}

fn power_of_ten(power: i32) -> Option<(i128, i128)> {
    let size = 10_i128.checked_pow(power.unsigned_abs())?;
    Some(if power < 0 { (1, size) } else { (size, 1) })
}

/// The worth of a number in billionths, the last of which is rounded up.
fn worth(whole: &str, fraction: &str, (times, over): (i128, i128)) -> Option<i128> {
    let fraction = fraction.trim_end_matches('0');
    let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let over = over.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let product = digits.checked_mul(times)?.checked_mul(NANO)?;
    Some(product / over + i128::from(product % over != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_has_one_shortest_form() {
        for (text, shortest) in [
            ("2.50", "2500m"),
            ("2000m", "2"),
            ("5000", "5k"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("1500e3", "1500e3"),
            ("0", "0"),
            ("-1", "-1"),
            ("0.1", "100m"),
            ("1000M", "1G"),
            ("100m", "100m"),
            ("1Ei", "1Ei"),
        ] {
            let found = Quantity::parse(text).expect(text).shortest();
            assert_eq!(found.as_deref(), Some(shortest), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for (text, why) in [
            ("lots", MALFORMED),
            ("", MALFORMED),
            ("1x", MALFORMED),
            ("1.2.3", NO_NUMBER),
            ("1mm", UNKNOWN_SUFFIX),
            ("1e", UNKNOWN_SUFFIX),
        ] {
            assert_eq!(Quantity::parse(text).expect_err(text), why);
        }
    }

    #[test]
    fn quantities_are_compared_by_their_worth() {
        let quantity = |text: &str| Quantity::parse(text).expect(text);
        assert!(quantity("2").is_more_than(quantity("1500m")));
        assert!(!quantity("1Gi").is_more_than(quantity("1024Mi")));
        assert!(quantity("-1").is_negative());
    }
}
