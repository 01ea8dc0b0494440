//! Flink ids that are derived, not drawn: a repeated decision names the same thing.

use jiff::Timestamp;

/// The Flink job id of an attempt: 32 hexadecimal digits, different for each attempt of each resource.
///
/// A Kubernetes uid has 128 random bits, as many as a Flink job id; the attempt is added to it, so that ids of
/// one resource are recognised as its own.
pub fn job_id(uid: &str, attempt: u64) -> String {
    format!("{:032x}", seed(uid).wrapping_add(u128::from(attempt)))
}

/// The trigger id of an operation decided at a time.
pub fn trigger_id(uid: &str, attempt: u64, now: Timestamp) -> String {
    let time = now.as_nanosecond().cast_unsigned();
    format!("{:032x}", scramble(seed(uid).wrapping_add(u128::from(attempt)) ^ time.rotate_left(40)))
}

fn seed(uid: &str) -> u128 {
    let digits: String = uid.chars().filter(char::is_ascii_hexdigit).collect();
    if digits.len() == 32
        && let Ok(number) = u128::from_str_radix(&digits, 16)
    {
        return number;
    }
    uid.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| scramble(hash ^ u128::from(byte)))
}

fn scramble(number: u128) -> u128 {
    const ODD: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;
    let mixed = (number ^ (number >> 67)).wrapping_mul(ODD);
    (mixed ^ (mixed >> 59)).wrapping_mul(ODD) ^ (mixed >> 71)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0c5d8a3e-26c1-4a3e-9a0d-6f1f0d3b9c55";

    #[test]
    fn a_job_id_is_derived_from_uid_and_attempt() {
        assert_eq!(job_id(UID, 1), "0c5d8a3e26c14a3e9a0d6f1f0d3b9c56");
        assert_ne!(job_id(UID, 1), job_id(UID, 2));
        assert_eq!(job_id("not a uid", 3).len(), 32);
    }

    #[test]
    fn trigger_ids_differ_by_time_and_attempt() {
        let now = Timestamp::UNIX_EPOCH;
        let later = Timestamp::from_nanosecond(1).expect("a valid time");
        assert_ne!(trigger_id(UID, 1, now), trigger_id(UID, 1, later));
        assert_ne!(trigger_id(UID, 1, now), trigger_id(UID, 2, now));
        assert_eq!(trigger_id(UID, 1, now), trigger_id(UID, 1, now));
    }
}
