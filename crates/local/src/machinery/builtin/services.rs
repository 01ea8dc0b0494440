//! Services: their defaults and their addresses. An address is given out at creation and stays.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Map, Value, json};

use super::super::error::FieldError;
use super::super::meta;
use super::super::store::Store;
use super::{Admission, default, each, spec};

/// Where free addresses and node ports are found.
pub(crate) struct Allocator<'a> {
    pub store: &'a Store,
    /// `N` of `127.N.128.0/17`.
    pub subnet: u8,
}

/// Addresses to give out: all but the first and the last of the subnet.
const SIZE: u32 = (1 << 15) - 2;
const NODE_PORTS: std::ops::Range<u64> = 30000..32768;

impl Allocator<'_> {
    fn first(&self) -> u32 {
        u32::from(Ipv4Addr::new(127, self.subnet, 128, 1))
    }

    fn owns(&self, address: Ipv4Addr) -> bool {
        (self.first()..self.first() + SIZE).contains(&u32::from(address))
    }

    fn services(&self) -> impl Iterator<Item = &Value> {
        self.store.scan("/core/services/", "").map(|(_, service)| &**service)
    }

    fn used(&self, address: &str) -> bool {
        self.services().any(|service| meta::text(service, "/spec/clusterIP") == address)
    }

    /// A free address. Where the search starts depends on the name, so that a service that comes back finds its old address again.
    fn address(&self, namespace: &str, name: &str) -> Option<String> {
        let start = namespace
            .bytes()
            .chain([b'/'])
            .chain(name.bytes())
            .fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        (0..SIZE)
            .map(|step| Ipv4Addr::from(self.first() + (start % SIZE + step) % SIZE).to_string())
            .find(|address| !self.used(address))
    }

    fn node_port(&self) -> Option<u64> {
        let used: Vec<u64> = self
            .services()
            .flat_map(|service| service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten())
            .filter_map(|port| port["nodePort"].as_u64())
            .collect();
        NODE_PORTS.into_iter().find(|port| !used.contains(port))
    }
}

/// Gives a service its addresses, or keeps those it has.
pub(super) fn addresses(admission: &Admission<'_>, object: &mut Value) -> Vec<FieldError> {
    if admission.kind.resource != "services" || admission.subresource == "status" {
        return Vec::new();
    }
    let allocator = &admission.addresses;
    let (namespace, name) = (meta::namespace(object).to_owned(), meta::name(object).to_owned());
    let external = meta::text(object, "/spec/type") == "ExternalName";
    let wanted = meta::text(object, "/spec/clusterIP").to_owned();
    let before = admission.old.map(|old| meta::text(old, "/spec/clusterIP")).unwrap_or_default();
    let kind = meta::text(object, "/spec/type").to_owned();
    let spec = spec(object);
    if external {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
        return Vec::new();
    }
    let mut errors = Vec::new();
    let address = match (wanted.as_str(), before) {
        ("", "") => match allocator.address(&namespace, &name) {
            Some(address) => address,
            None => {
                return vec![FieldError::invalid(
                    "spec.clusterIPs",
                    &Value::Null,
                    "failed to allocate IP: range is full",
                )];
            }
        },
        ("", before) => before.to_owned(),
        (wanted, before) if !before.is_empty() => {
            if wanted != before && before != "None" {
                errors.push(FieldError::invalid("spec.clusterIPs[0]", &json!([wanted]), "may not change once set"));
            }
            wanted.to_owned()
        }
        ("None", _) => "None".to_owned(),
        // What is no address is refused with the rest.
        (wanted, _) if wanted.parse::<IpAddr>().is_err() => wanted.to_owned(),
        (wanted, _) => {
            if !wanted.parse::<Ipv4Addr>().is_ok_and(|address| allocator.owns(address)) {
                let detail =
                    format!("failed to allocate IP {wanted}: the provided network does not match the current range");
                errors.push(FieldError::invalid("spec.clusterIPs", &json!([wanted]), &detail));
            } else if allocator.used(wanted) {
                let detail = format!("failed to allocate IP {wanted}: provided IP is already allocated");
                errors.push(FieldError::invalid("spec.clusterIPs", &json!([wanted]), &detail));
            }
            wanted.to_owned()
        }
    };
    families(admission.old, address == "None", spec);
    if address != "None" {
        one_family(spec, &mut errors);
    }
    spec.insert("clusterIPs".into(), json!([address]));
    spec.insert("clusterIP".into(), address.into());
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        // One at a time is enough: a service of several node ports is rare, and each gets the next free one.
        let mut next = allocator.node_port();
        for port in each(spec, "ports") {
            if let Some(free) = next.filter(|_| port.get("nodePort").is_none_or(|port| *port == 0)) {
                port.insert("nodePort".into(), free.into());
                next = Some(free + 1).filter(|port| NODE_PORTS.contains(port));
            }
        }
    }
    errors
}

/// There is one family of addresses. A service without an address and without pods of its own may name any, and names all.
fn families(old: Option<&Value>, headless: bool, spec: &mut Map<String, Value>) {
    let free = headless && spec.get("selector").and_then(Value::as_object).is_none_or(Map::is_empty);
    let before = old.map(|old| meta::text(old, "/spec/ipFamilyPolicy")).filter(|policy| !policy.is_empty());
    default(spec, "ipFamilyPolicy", before.unwrap_or(if free { "RequireDualStack" } else { "SingleStack" }));
    default(spec, "ipFamilies", json!(["IPv4"]));
    let single = spec["ipFamilyPolicy"] == "SingleStack";
    if let Some([one]) = spec["ipFamilies"].as_array().map(Vec::as_slice).filter(|_| free && !single) {
        let other = if *one == "IPv4" { "IPv6" } else { "IPv4" };
        spec["ipFamilies"] = json!([one, other]);
    }
}

/// Addresses of another family are not to be had.
fn one_family(spec: &Map<String, Value>, errors: &mut Vec<FieldError>) {
    if spec["ipFamilyPolicy"] == "RequireDualStack" {
        let detail = "this cluster is not configured for dual-stack services";
        errors.push(FieldError::invalid("spec.ipFamilyPolicy", &spec["ipFamilyPolicy"], detail));
    }
    for (index, family) in spec["ipFamilies"].as_array().into_iter().flatten().enumerate() {
        if family == "IPv6" {
            let field = format!("spec.ipFamilies[{index}]");
            errors.push(FieldError::invalid(field, family, "not configured on this cluster"));
        }
    }
}

pub(super) fn defaults(object: &mut Value) {
    let spec = spec(object);
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    if spec["sessionAffinity"] == "ClientIP" {
        default(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10800}}));
    } else if spec["sessionAffinity"] == "None" {
        spec.remove("sessionAffinityConfig");
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    for port in each(spec, "ports") {
        default(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or_else(|| 0.into());
        if port.get("targetPort").is_none_or(|target| *target == 0 || *target == "") {
            port.insert("targetPort".into(), number);
        }
    }
}
