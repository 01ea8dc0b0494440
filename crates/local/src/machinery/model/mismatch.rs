//! Values of the wrong type, in the words of Go's decoder, which names the struct, the path of fields, and the type.

use serde_json::Value;

use super::{reference, schema};

/// Types that read themselves: what is wrong with them is said elsewhere.
const OWN: [&str; 8] = [
    "Quantity",
    "IntOrString",
    "Time",
    "MicroTime",
    "FieldsV1",
    "JSON",
    "JSONSchemaPropsOrArray",
    "JSONSchemaPropsOrBool",
];

/// The first value in an object of a type that cannot be what the type has there.
pub(crate) fn mismatch(name: &str, object: &Value) -> Option<String> {
    fields(name, object, "")
}

fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn fields(name: &str, object: &Value, path: &str) -> Option<String> {
    let properties = schema(name)?.get("properties")?.as_object()?;
    object.as_object()?.iter().find_map(|(field, value)| {
        let of = properties.get(field)?;
        let path = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
        value_of(of, value, short(name), &path)
    })
}

fn value_of(of: &Value, value: &Value, holder: &str, path: &str) -> Option<String> {
    let own = reference(of);
    if value.is_null() || own.is_some_and(|name| OWN.contains(&short(name))) {
        return None;
    }
    let wrong = || {
        let found = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) if whole(of) => format!("number {number}"),
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        Some(format!("json: cannot unmarshal {found} into Go struct field {holder}.{path} of type {}", type_name(of)))
    };
    if let Some(name) = own {
        let object = schema(name).is_none_or(|schema| schema["type"] == "object");
        return match value {
            Value::Object(_) => fields(name, value, path),
            _ if object => wrong(),
            _ => None,
        };
    }
    match (of["type"].as_str()?, value) {
        ("object", Value::Object(map)) => {
            let of = of.get("additionalProperties").filter(|of| of.is_object())?;
            map.values().find_map(|child| value_of(of, child, holder, path))
        }
        ("array", Value::Array(items)) => {
            let of = of.get("items")?;
            items.iter().find_map(|item| value_of(of, item, holder, path))
        }
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => None,
        ("integer", Value::Number(number)) if !number.is_f64() => None,
        ("object" | "array" | "string" | "boolean" | "number" | "integer", _) => wrong(),
        _ => None,
    }
}

fn whole(of: &Value) -> bool {
    of["type"] == "integer"
}

/// The name of a type in Go.
fn type_name(of: &Value) -> String {
    if let Some(name) = reference(of) {
        let mut parts = name.rsplit('.');
        let (kind, package) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        return format!("{package}.{kind}");
    }
    match of["type"].as_str().unwrap_or_default() {
        "string" if of["format"] == "byte" => "[]uint8".to_owned(),
        "integer" => of["format"].as_str().unwrap_or("int64").to_owned(),
        "boolean" => "bool".to_owned(),
        "number" => "float64".to_owned(),
        "array" => format!("[]{}", type_name(&of["items"])),
        "object" => format!("map[string]{}", type_name(&of["additionalProperties"])),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_struct_the_path_and_the_type_are_named() {
        for (name, object, told) in [
            (
                "io.k8s.api.core.v1.ConfigMap",
                json!({"data": {"k": 1}}),
                "number into Go struct field ConfigMap.data of type string",
            ),
            (
                "io.k8s.api.core.v1.ConfigMap",
                json!({"metadata": {"labels": []}}),
                "array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
            ),
            (
                "io.k8s.api.apps.v1.Deployment",
                json!({"spec": {"replicas": "2"}}),
                "string into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "io.k8s.api.apps.v1.Deployment",
                json!({"spec": {"template": {"spec": {"containers": [{"image": 1}]}}}}),
                "number into Go struct field Container.spec.template.spec.containers.image of type string",
            ),
        ] {
            assert_eq!(mismatch(name, &object), Some(format!("json: cannot unmarshal {told}")));
        }
        let fine = json!({"metadata": {"creationTimestamp": null}, "spec": {"containers": [{"resources": {"limits": {"cpu": 1}}}]}});
        assert_eq!(mismatch("io.k8s.api.core.v1.Pod", &fine), None);
    }
}
