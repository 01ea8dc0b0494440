//! The specs of the examples as JSON, for the control API: what stands in `examples/*.yaml`, without kind and metadata.

use std::path::Path;

use anyhow::Result;
use integration_tests::objects;

use super::File;

const EXAMPLES: [&str; 3] = ["deployment", "cluster", "job"];

/// `examples/deployment-spec.json` and so on; those in `example/` are links to them.
pub fn files() -> Result<Vec<File>> {
    let file = |name: &str| {
        let spec = &objects::example(name)?["spec"];
        let path = Path::new("examples").join(format!("{name}-spec.json"));
        Ok(File { path, text: serde_json::to_string_pretty(spec)? + "\n" })
    };
    EXAMPLES.iter().map(|name| file(name)).collect()
}
