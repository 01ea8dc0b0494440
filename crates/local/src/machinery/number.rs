//! Numbers as the server's messages write them.

use serde_json::Number;

/// The shortest form that is the same number: `1.5`, `100000`, `1e+06`.
pub(crate) fn float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // Beyond these, an exponent is shorter.
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Any number.
pub(crate) fn text(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(number) => float(number),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_shortest_form() {
        for (number, written) in [
            (2.5, "2.5"),
            (-1.0, "-1"),
            (0.00001, "1e-05"),
            (1e20, "1e+20"),
            (1_234_567.0, "1.234567e+06"),
            (100_000.0, "100000"),
        ] {
            assert_eq!(float(number), written);
        }
    }
}
