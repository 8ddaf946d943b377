//! SCRAM (RFC 5802, RFC 7677): the mechanisms' numbers on the wire, and what is kept of a password.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::digest::{Digest, KeyInit};
use sha2::{Sha256, Sha512};

/// How a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-512.
    Sha512,
}

/// What a server keeps instead of a salted password: neither tells the password, nor suffices to log in.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// Proves that a client knows the password.
    pub stored_key: Vec<u8>,
    /// Proves to a client that the server knew it.
    pub server_key: Vec<u8>,
}

impl fmt::Debug for ScramKeys {
    /// Secrets do not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys").finish_non_exhaustive()
    }
}

impl ScramMechanism {
    /// Every mechanism, by number.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];
    /// The least iterations that Kafka takes, of either mechanism.
    pub const MIN_ITERATIONS: i32 = 4096;

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> i8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha512 => 2,
        }
    }

    /// The mechanism of a number.
    #[must_use]
    pub fn from_number(number: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.number() == number)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The mechanism of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// `Hi(password, salt, iterations)`: what a client sends of a new password. Takes time in proportion
    /// to the iterations.
    #[must_use]
    pub fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let first = [salt, &1u32.to_be_bytes()].concat();
        let mut round = self.hmac(password, &first);
        let mut sum = round.clone();
        for _ in 1..iterations {
            round = self.hmac(password, &round);
            sum.iter_mut().zip(&round).for_each(|(sum, byte)| *sum ^= byte);
        }
        sum
    }

    /// What a server keeps of a salted password.
    #[must_use]
    pub fn keys(self, salted_password: &[u8]) -> ScramKeys {
        let client_key = self.hmac(salted_password, b"Client Key");
        ScramKeys {
            stored_key: self.hash(&client_key),
            server_key: self.hmac(salted_password, b"Server Key"),
        }
    }

    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => mac::<Hmac<Sha256>>(key, message),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, message),
        }
    }

    fn hash(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // Shorter keys are filled up and longer ones hashed: every length is right.
    <M as KeyInit>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mac| mac.chain_update(message).finalize().into_bytes().to_vec(),
    )
}

#[cfg(test)]
mod tests;
