//! What is different between two values, as JSON pointers.

use serde_json::Value;

/// More than these say nothing new.
const MOST: usize = 12;

/// The differences between what the genuine server says and what the local one says; a line each.
pub fn differences(genuine: &Value, local: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(genuine, local, "", &mut found);
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    if more > 0 {
        found.push(format!("… and {more} more"));
    }
    found
}

fn walk(genuine: &Value, local: &Value, at: &str, found: &mut Vec<String>) {
    match (genuine, local) {
        (Value::Object(left), Value::Object(right)) => {
            let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let below = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (left.get(name), right.get(name)) {
                    (Some(left), Some(right)) => walk(left, right, &below, found),
                    (Some(left), None) => found.push(format!("{below}: genuine {left}, local nothing")),
                    (None, Some(right)) => found.push(format!("{below}: genuine nothing, local {right}")),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                walk(left, right, &format!("{at}/{index}"), found);
            }
        }
        _ if genuine == local => {}
        _ => found.push(format!("{at}: genuine {genuine}, local {local}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_says_where_it_is() {
        let genuine = json!({ "code": 409, "body": { "a/b": [1, 2], "only": true } });
        let local = json!({ "code": 409, "body": { "a/b": [1, 3], "more": null } });
        assert_eq!(
            differences(&genuine, &local),
            [
                "/body/a~1b/1: genuine 2, local 3",
                "/body/more: genuine nothing, local null",
                "/body/only: genuine true, local nothing",
            ]
        );
        assert!(differences(&genuine, &genuine).is_empty());
    }
}
