//! The wire format of protocol buffers: numbered fields that are numbers or bytes.
//!
//! Invariant: no input makes it panic or read beyond the end.

use super::Error;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Scalar<'a> {
    pub fn bytes(self) -> Result<&'a [u8], Error> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Error::Damaged),
        }
    }

    pub fn text(self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Error::Damaged)
    }

    /// Negative numbers come as their two's complement.
    pub fn int(self) -> Result<i64, Error> {
        match self {
            Self::Number(number) => Ok(number.cast_signed()),
            Self::Bytes(_) => Err(Error::Damaged),
        }
    }
}

/// Reads one field after the other.
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    /// The next field with its number.
    pub fn next(&mut self) -> Result<Option<(u64, Scalar<'a>)>, Error> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let scalar = match tag & 7 {
            0 => Scalar::Number(self.number()?),
            1 => Scalar::Bytes(self.take(8)?),
            2 => {
                let length = self.number()?;
                Scalar::Bytes(self.take(length)?)
            }
            5 => Scalar::Bytes(self.take(4)?),
            _ => return Err(Error::Damaged),
        };
        Ok(Some((tag >> 3, scalar)))
    }

    /// Seven bits a byte, the low ones first.
    fn number(&mut self) -> Result<u64, Error> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, left) = self.left.split_first().ok_or(Error::Damaged)?;
            self.left = left;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Error::Damaged)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Error> {
        let length = usize::try_from(length).map_err(|_| Error::Damaged)?;
        let (taken, left) = self.left.split_at_checked(length).ok_or(Error::Damaged)?;
        self.left = left;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_one_after_the_other() {
        let mut reader = Reader::new(&[0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i']);
        assert_eq!(reader.next(), Ok(Some((1, Scalar::Number(150)))));
        assert_eq!(reader.next(), Ok(Some((2, Scalar::Bytes(b"hi")))));
        assert_eq!(reader.next(), Ok(None));
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [
            &[0x08][..],
            &[0x12, 0x05, b'h'],
            &[0x0b],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(Reader::new(bytes).next(), Err(Error::Damaged), "{bytes:?}");
        }
    }
}
