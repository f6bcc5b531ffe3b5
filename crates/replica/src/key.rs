//! The key of a replica's file.

use core::fmt;

use zeroize::Zeroizing;

/// The raw 256-bit key of an encrypted file. It never prints, and its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// Wraps bytes that a shell drew from the operating system's random source. The caller wipes its own copy.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// SQLCipher's spelling of a raw key, without the derivation that a passphrase needs.
    pub(crate) fn literal(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new([0_u8; 64]);
        // Cannot fail: 32 bytes are 64 digits.
        let _ = hex::encode_to_slice(*self.0, &mut *digits);
        let mut literal = Zeroizing::new(String::with_capacity(72));
        literal.push_str("\"x'");
        for digit in *digits {
            literal.push(char::from(digit));
        }
        literal.push_str("'\"");
        literal
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_print() {
        assert_eq!(format!("{:?}", Key::from_bytes([7; 32])), "Key(…)");
    }

    #[test]
    fn a_key_is_given_raw() {
        let literal = Key::from_bytes([0xAB; 32]).literal();
        assert_eq!(*literal, format!("\"x'{}'\"", "ab".repeat(32)));
    }
}
