//! Numbers that Flink sometimes writes as text: a statistic without values is the string `"NaN"`.

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Number(f64),
    Text(String),
}

/// A float, or `None` for `"NaN"`, null and anything else that is not a finite number.
pub fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = match Option::<Lenient>::deserialize(deserializer)? {
        Some(Lenient::Number(number)) => number,
        Some(Lenient::Text(text)) => text.parse().unwrap_or(f64::NAN),
        None => f64::NAN,
    };
    Ok(number.is_finite().then_some(number))
}
