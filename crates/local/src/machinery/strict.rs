//! Members that are there twice: nobody can mean that, and strict requests are refused for it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Request;
use super::request::media_type;

/// What is said of members of a body that are there twice.
pub(crate) fn duplicates(request: &Request) -> Vec<String> {
    let mut twice = Vec::new();
    match media_type(request) {
        "application/json" | "" | "*/*" => {
            let mut reader = serde_json::Deserializer::from_slice(&request.body);
            // What cannot be read was refused before.
            drop(Document { path: String::new(), twice: &mut twice }.deserialize(&mut reader));
            twice.iter().map(|path| format!("duplicate field {path:?}")).collect()
        }
        "application/yaml" => in_yaml(&String::from_utf8_lossy(&request.body)),
        _ => Vec::new(),
    }
}

/// A YAML document in which the last of several members of a name counts.
pub(crate) fn lenient(text: &[u8]) -> std::result::Result<Value, serde_yaml::Error> {
    let mut twice = Vec::new();
    Document { path: String::new(), twice: &mut twice }.deserialize(serde_yaml::Deserializer::from_slice(text))
}

/// What is said of YAML: all at once, with the lines.
fn in_yaml(text: &str) -> Vec<String> {
    let mut twice = Vec::new();
    drop(Document { path: String::new(), twice: &mut twice }.deserialize(serde_yaml::Deserializer::from_str(text)));
    let lines: Vec<String> = twice
        .iter()
        .map(|path| {
            let key = path.rsplit('.').next().unwrap_or_default();
            format!("\n  line {}: key {key:?} already set in map", second(text, key))
        })
        .collect();
    if lines.is_empty() { Vec::new() } else { vec![format!("yaml: unmarshal errors:{}", lines.concat())] }
}

/// The line on which a key stands for the second time within one mapping.
fn second(text: &str, key: &str) -> usize {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let names = |line: &str| {
        let line = line.trim_start().trim_start_matches(['"', '\'']);
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    };
    let lines: Vec<&str> = text.lines().collect();
    let again = |index: &usize| {
        let above = lines[..*index].iter().rev().take_while(|line| depth(line) >= depth(lines[*index]));
        names(lines[*index]) && above.filter(|line| depth(line) == depth(lines[*index])).any(|line| names(line))
    };
    (0..lines.len()).find(again).map_or(1, |index| index + 1)
}

/// A value, and the paths of members within it that are there twice.
struct Document<'a> {
    path: String,
    twice: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> std::result::Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> std::result::Result<Value, D::Error> {
        self.deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> std::result::Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = {
            let path = format!("{}[{}]", self.path, items.len());
            from.next_element_seed(Document { path, twice: &mut *self.twice })?
        } {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> std::result::Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if map.contains_key(&key) && !self.twice.contains(&path) {
                self.twice.push(path.clone());
            }
            let value = from.next_value_seed(Document { path, twice: &mut *self.twice })?;
            map.insert(key, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_are_there_twice_are_named() {
        let request = |content_type: &str, body: &str| Request {
            method: http::Method::POST,
            path: String::new(),
            query: Vec::new(),
            content_type: Some(content_type.to_owned()),
            accept: None,
            user_agent: None,
            user: super::super::User::default(),
            body: body.as_bytes().to_vec(),
        };
        let json = r#"{"a": {"k": 1, "k": 2, "k": 3}, "l": [{"x": 1, "x": 1}], "k": 1}"#;
        assert_eq!(
            duplicates(&request("application/json", json)),
            ["duplicate field \"a.k\"", "duplicate field \"l[0].x\""]
        );
        let yaml = "a: 1\nmore:\n  a: 1\ndata:\n  k: v\n  k: w\n";
        assert_eq!(
            duplicates(&request("application/yaml", yaml)),
            ["yaml: unmarshal errors:\n  line 6: key \"k\" already set in map"]
        );
        assert_eq!(lenient(yaml.as_bytes()).expect("read")["data"]["k"], "w");
    }
}
