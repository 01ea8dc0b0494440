//! Errors as people read them: the whole chain of causes on one line, each part once.

use std::error::Error;

use crate::client::CallError;

/// The error and its causes, joined by `: `. A cause whose text its parent already contains is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = words(error);
    let mut next = error.source();
    while let Some(cause) = next {
        let part = words(cause);
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = cause.source();
    }
    text
}

/// One link of the chain. Of an answer of the API server only the message: kube prints the whole status, twice.
fn words(error: &(dyn Error + 'static)) -> String {
    let kube = match error.downcast_ref() {
        Some(CallError::Kube(kube)) => Some(kube),
        _ => error.downcast_ref::<kube::Error>(),
    };
    let status = match kube {
        Some(kube::Error::Api(status)) => Some(status.as_ref()),
        _ => error.downcast_ref::<Box<kube::core::Status>>().map(AsRef::as_ref),
    };
    match status {
        Some(kube::core::Status { message, .. }) if !message.is_empty() => message.clone(),
        _ => error.to_string(),
    }
}

/// At most `bytes` of the text, cut at a character, with an ellipsis when something was cut.
pub fn shorten(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::{chain, shorten};
    use crate::client::CallError;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn a_repeated_cause_is_told_once() {
        let inner = Layer { text: "connection refused", source: None };
        let middle = Layer { text: "get pod: connection refused", source: Some(Box::new(inner)) };
        let outer = Layer { text: "observe the cluster", source: Some(Box::new(middle)) };
        assert_eq!(chain(&outer), "observe the cluster: get pod: connection refused");
    }

    #[test]
    fn an_answer_of_the_api_server_is_told_in_its_words() {
        let status = kube::core::Status::failure("pods \"p\" is forbidden: no quota", "Forbidden").with_code(403);
        let error = CallError::from(kube::Error::Api(status.boxed()));
        assert_eq!(chain(&error), "pods \"p\" is forbidden: no quota");
        let CallError::Kube(error) = error else { unreachable!("made above") };
        assert_eq!(chain(&error), "pods \"p\" is forbidden: no quota");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(shorten("short", 10), "short");
        let cut = shorten("ääääää", 8);
        assert_eq!(cut, "ää…");
        assert!(cut.len() <= 8);
    }
}
