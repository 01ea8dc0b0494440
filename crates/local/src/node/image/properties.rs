//! Flink's options as the official image takes them from the environment, and the files they are written to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Options by key.
pub(super) type Options = BTreeMap<String, String>;

/// Reads `FLINK_PROPERTIES`: one `key: value` per line, split at the first colon, all white space removed, `$NAME` and `${NAME}` replaced.
pub(super) fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> Options {
    let mut options = Options::new();
    for line in text.lines() {
        let line: String = substitute(line, &variable).chars().filter(|c| !c.is_whitespace()).collect();
        if let Some((key, value)) = line.split_once(':')
            && !key.is_empty()
            && !key.starts_with('#')
        {
            options.insert(key.to_owned(), value.to_owned());
        }
    }
    options
}

/// Replaces variables as `envsubst` does: one that is not set becomes empty.
fn substitute(text: &str, variable: &impl Fn(&str) -> Option<String>) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut result, mut rest) = (String::new(), text);
    while let Some(position) = rest.find('$') {
        result.push_str(&rest[..position]);
        let after = &rest[position + 1..];
        let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let (name, tail) = match braced {
            Some((name, tail)) => (name, tail),
            None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        if !name.is_empty() && name.chars().all(is_name) && !name.starts_with(|c: char| c.is_ascii_digit()) {
            result.push_str(&variable(name).unwrap_or_default());
            rest = tail;
        } else {
            result.push('$');
            rest = after;
        }
    }
    result + rest
}

/// Reads `-D key=value` and `-Dkey=value`; what is neither is left over.
pub(super) fn arguments(arguments: &[String]) -> (Options, Vec<String>) {
    let (mut options, mut others) = (Options::new(), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let pair = match argument.strip_prefix("-D") {
            Some("") => arguments.next().map(String::as_str),
            Some(pair) => Some(pair),
            None => {
                others.push(argument.clone());
                continue;
            }
        };
        if let Some((key, value)) = pair.and_then(|pair| pair.split_once('=')) {
            options.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    (options, others)
}

/// Reads a configuration file of Flink in either format.
pub(super) fn read(text: &str) -> Options {
    let mut options = Options::new();
    if let Ok(value) = serde_yaml::from_str::<serde_json::Value>(text) {
        flatten("", &value, &mut options);
    } else {
        // The old format is not quite YAML: everything after the first colon and space is the value.
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once(": "));
        options.extend(pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())));
    }
    options
}

fn flatten(prefix: &str, value: &serde_json::Value, options: &mut Options) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, options);
            }
        }
        Value::Array(values) => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            options.insert(prefix.to_owned(), values.iter().map(text).collect::<Vec<_>>().join(";"));
        }
        Value::Null => {}
        Value::String(text) => {
            options.insert(prefix.to_owned(), text.clone());
        }
        value => {
            options.insert(prefix.to_owned(), value.to_string());
        }
    }
}

/// Writes `config.yaml`, which Flink reads from 1.19 on.
pub(super) fn write_yaml(options: &Options) -> String {
    options.iter().fold(String::new(), |mut text, (key, value)| {
        // A JSON string is a YAML string, whatever it holds.
        let _ =
            writeln!(text, "{}: {}", serde_json::Value::from(key.as_str()), serde_json::Value::from(value.as_str()));
        text
    })
}

/// Writes `flink-conf.yaml`, the format before that: no quotes.
pub(super) fn write_legacy(options: &Options) -> String {
    options.iter().fold(String::new(), |mut text, (key, value)| {
        let _ = writeln!(text, "{key}: {value}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_lose_their_white_space_and_are_substituted() {
        let variable = |name: &str| (name == "HOST").then(|| "pod".to_owned());
        let options = parse("a.b: c d\n\n  x : file:///tmp/${HOST}/$NONE$ \n# no: comment\nnothing\n", variable);
        let expected =
            [("a.b", "cd"), ("x", "file:///tmp/pod/$")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(options, expected.into());
    }

    #[test]
    fn options_come_as_arguments_too() {
        let given = ["-D", "a=b=c", "-Dd.e=f", "--job-classname", "X"].map(str::to_owned);
        let (options, others) = arguments(&given);
        assert_eq!(options.into_iter().map(|(key, value)| key + "|" + &value).collect::<Vec<_>>(), ["a|b=c", "d.e|f"]);
        assert_eq!(others, ["--job-classname", "X"]);
    }

    #[test]
    fn files_are_read_in_both_formats_and_written_so_that_they_are_read_again() {
        let nested = read("jobmanager:\n  rpc:\n    port: 6123\nlist: [a, b]\nenv.java.opts: \"-Da=b: c\"\n");
        assert_eq!((nested["jobmanager.rpc.port"].as_str(), nested["list"].as_str()), ("6123", "a;b"));
        assert_eq!(read(&write_yaml(&nested)), nested);
        let legacy = read("# comment\na.b: c: d\nkey: *:x\n");
        assert_eq!((legacy["a.b"].as_str(), legacy["key"].as_str()), ("c: d", "*:x"));
        assert_eq!(read(&write_legacy(&legacy)), legacy);
    }
}
