//! Which image runs flinkctl.

/// Repository of the original, whatever registry it is mirrored in.
const ORIGINAL: &str = "nextbreakpoint/flinkctl";

/// An image, and whether it stands in for one that the manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub name: String,
    /// The manifest names the original, whose supervisor does not understand what we persist. Worth an event.
    pub replaced: bool,
}

/// The image of a supervisor: the one that its manifest names, unless that is the original's.
pub fn supervisor_image(wanted: &str, own: &str) -> Image {
    let replaced = is_original(wanted) && wanted != own;
    Image { name: if replaced { own } else { wanted }.to_owned(), replaced }
}

fn is_original(image: &str) -> bool {
    let image = image.trim();
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    // A colon before the last slash separates the port of a registry.
    let repository = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => image,
    };
    repository == ORIGINAL || repository.strip_suffix(ORIGINAL).is_some_and(|registry| registry.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_is_replaced_and_nothing_else() {
        for image in [
            "nextbreakpoint/flinkctl:1.4.4-beta",
            "nextbreakpoint/flinkctl",
            "docker.io/nextbreakpoint/flinkctl:1.4.2",
            "registry:5000/mirror/nextbreakpoint/flinkctl@sha256:00",
        ] {
            assert_eq!(
                supervisor_image(image, "flinkctl:local"),
                Image { name: "flinkctl:local".into(), replaced: true },
                "{image}"
            );
        }
        for image in
            ["flinkctl:local", "my/nextbreakpoint-flinkctl:1", "nextbreakpoint/flinkctl-jobs:1", "other/flinkctl:1"]
        {
            assert_eq!(supervisor_image(image, "own:1"), Image { name: image.into(), replaced: false }, "{image}");
        }
        let own = "nextbreakpoint/flinkctl:2.0.0";
        assert_eq!(supervisor_image(own, own), Image { name: own.into(), replaced: false });
    }
}
