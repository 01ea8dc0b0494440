//! Objects as messages about patches show them: members in the order of Go's structs, but where a patch reached, in that of names.

use serde_json::Value;

use super::{reference, schema};

/// The order of the members of types that nearly every message shows; members of other types are ordered by name.
const ORDER: &[(&str, &str)] = &[
    (
        "ObjectMeta",
        "name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields",
    ),
    ("ManagedFieldsEntry", "manager operation apiVersion time fieldsType fieldsV1 subresource"),
    ("OwnerReference", "apiVersion kind name uid controller blockOwnerDeletion"),
];

/// An object of a type (none for custom resources) as JSON. `touched`: what a patch named, as far as it went.
pub(crate) fn shown(name: Option<&str>, object: &Value, touched: &Value) -> String {
    let mut text = String::new();
    write(name, object, Some(touched), &mut text);
    text
}

fn write(name: Option<&str>, value: &Value, touched: Option<&Value>, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            let order = name.and_then(|name| {
                let short = name.rsplit('.').next();
                ORDER.iter().find(|(known, _)| Some(*known) == short).map(|(_, order)| *order)
            });
            if let Some(order) = order.filter(|_| !touched.is_some_and(Value::is_object)) {
                let place = |field: &str| order.split(' ').position(|known| known == field).unwrap_or(usize::MAX);
                members.sort_by_key(|(field, _)| place(field));
            }
            let of = name.and_then(schema).map(|schema| &schema["properties"]);
            list(text, ('{', '}'), members.into_iter(), |(field, child), text| {
                text.push_str(&Value::from(field.as_str()).to_string());
                text.push(':');
                let (below, child_type) =
                    (touched.and_then(|touched| touched.get(field)), of.and_then(|of| of.get(field)));
                write_typed(child_type, child, below, text);
            });
        }
        other => text.push_str(&other.to_string()),
    }
}

fn write_typed(of: Option<&Value>, value: &Value, touched: Option<&Value>, text: &mut String) {
    match (value, of.and_then(|of| of.get("items"))) {
        (Value::Array(items), Some(of)) => {
            list(text, ('[', ']'), items.iter(), |item, text| write(reference(of), item, None, text));
        }
        _ => write(of.and_then(reference), value, touched, text),
    }
}

fn list<T>(
    text: &mut String,
    (open, close): (char, char),
    items: impl Iterator<Item = T>,
    one: impl Fn(T, &mut String),
) {
    text.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        one(item, text);
    }
    text.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_have_the_order_of_the_type_unless_a_patch_named_them() {
        let object = json!({"data": {"b": "1", "a": "2"}, "kind": "ConfigMap", "metadata": {"uid": "u", "name": "n", "creationTimestamp": "t"}});
        let name = Some("io.k8s.api.core.v1.ConfigMap");
        assert_eq!(
            shown(name, &object, &json!({"data": {"b": "1"}})),
            r#"{"data":{"a":"2","b":"1"},"kind":"ConfigMap","metadata":{"name":"n","uid":"u","creationTimestamp":"t"}}"#
        );
        assert_eq!(
            shown(name, &json!({"metadata": {"uid": "u", "name": "n"}}), &json!({"metadata": {"labels": null}})),
            r#"{"metadata":{"name":"n","uid":"u"}}"#
        );
    }
}
