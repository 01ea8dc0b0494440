//! What is refused of services.

use serde_json::Value;

use super::super::super::error::FieldError;
use super::super::super::meta;
use super::super::{labels, names};
use super::{container, one_of, port_number};

pub(super) fn service(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    let kind = meta::text(spec, "/type");
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let headless = spec["clusterIP"] == "None";
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    if headless && matches!(kind, "LoadBalancer" | "NodePort") {
        let detail = format!("may not be set to 'None' for {kind} services");
        errors.push(FieldError::invalid("spec.clusterIPs[0]", &"None".into(), &detail));
    }
    if kind == "ExternalName" {
        external(meta::text(spec, "/externalName"), errors);
    }
    for (index, port) in ports.iter().enumerate() {
        self::port(port, &ports[..index], ports.len() > 1, &format!("spec.ports[{index}]"), errors);
    }
    names::labels(labels(spec, "/selector"), "spec.selector", errors);
    one_of(spec, "sessionAffinity", "spec", &["ClientIP", "None"], errors);
    addresses(spec, errors);
    one_of(spec, "type", "spec", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], errors);
    if kind == "ClusterIP" {
        for (index, _) in ports.iter().enumerate().filter(|(_, port)| port["nodePort"].as_i64().unwrap_or(0) != 0) {
            let detail = "may not be used when `type` is 'ClusterIP'";
            errors.push(FieldError::forbidden(format!("spec.ports[{index}].nodePort"), detail));
        }
    }
    for (index, port) in ports.iter().enumerate() {
        let same = |other: &Value| other["port"] == port["port"] && other["protocol"] == port["protocol"];
        if ports[..index].iter().any(same) {
            let (protocol, number) = (&port["protocol"], &port["port"]);
            let shown = format!(
                "{{\"Name\":\"\",\"Protocol\":{protocol},\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}"
            );
            let message = format!("Duplicate value: {shown}");
            errors.push(FieldError { reason: "FieldValueDuplicate", field: format!("spec.ports[{index}]"), message });
        }
    }
}

fn external(name: &str, errors: &mut Vec<FieldError>) {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return errors.push(FieldError::required("spec.externalName", ""));
    }
    let wrong = names::subdomain(name);
    errors.extend(wrong.iter().map(|message| FieldError::invalid("spec.externalName", &name.into(), message)));
}

fn port(port: &Value, before: &[Value], named: bool, at: &str, errors: &mut Vec<FieldError>) {
    let name = meta::text(port, "/name");
    if !name.is_empty() {
        let wrong = names::label(name);
        errors.extend(wrong.iter().map(|message| FieldError::invalid(format!("{at}.name"), &name.into(), message)));
        if before.iter().any(|other| other["name"] == name) {
            errors.push(FieldError::duplicate(format!("{at}.name"), &name.into()));
        }
    } else if named {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    }
    port_number(&port["port"], format!("{at}.port"), errors);
    one_of(port, "protocol", at, &["SCTP", "TCP", "UDP"], errors);
    container::port(&port["targetPort"], format!("{at}.targetPort"), errors);
}

/// Addresses that are given have to be such; whether they are to be had is found out later.
fn addresses(spec: &Value, errors: &mut Vec<FieldError>) {
    let given = spec["clusterIPs"].as_array().into_iter().flatten().filter_map(Value::as_str).enumerate();
    for (index, address) in given.filter(|(index, address)| *index > 0 || *address != "None") {
        if address.parse::<std::net::IpAddr>().is_err() {
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.push(FieldError::invalid(format!("spec.clusterIPs[{index}]"), &address.into(), detail));
        }
    }
}
