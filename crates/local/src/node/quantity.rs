//! Resource quantities, as far as the downward API needs their value.

/// The value of a quantity such as `300Mi`, `0.5` or `250m`.
pub(super) fn value(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        exponent => 10f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// A quantity in units of a divisor, rounded up, as the downward API shows it.
pub(super) fn in_units(text: &str, divisor: Option<&str>) -> Option<String> {
    let divisor = match divisor.map(value) {
        Some(Some(divisor)) if divisor > 0.0 => divisor,
        None | Some(Some(_)) => 1.0,
        Some(None) => return None,
    };
    Some(format!("{:.0}", (value(text)? / divisor).ceil()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_counted_in_units() {
        assert_eq!(in_units("300Mi", None).as_deref(), Some("314572800"));
        assert_eq!(in_units("300Mi", Some("1Mi")).as_deref(), Some("300"));
        assert_eq!(in_units("50m", None).as_deref(), Some("1"));
        assert_eq!(in_units("250m", Some("1m")).as_deref(), Some("250"));
        assert_eq!(in_units("2e3", Some("0")).as_deref(), Some("2000"));
        assert_eq!(in_units("lots", None), None);
    }
}
