//! Passwords: argon2id with the parameters that OWASP names (19 MiB, 2 passes, 1 lane).
//!
//! Each hash costs 19 MiB and tens of milliseconds of one core, so only a few run at a time and only so many wait.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use super::ControlError;
use crate::random;

/// Fewest characters of a new password.
pub(crate) const SHORTEST_PASSWORD: usize = 12;
/// Most bytes of any: hashing is linear in them.
const LONGEST_PASSWORD: usize = 1024;

const AT_ONCE: usize = 2;
const WAITING: usize = 64;

/// What an unknown account's password is compared with, so that the answer takes as long as for a known one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y291bnRlcnNpZ24gbm9ib2R5$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Too many passwords are being checked; the caller may come back in a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Busy;

/// Hashes and checks passwords, a few at a time.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            running: Arc::new(Semaphore::new(AT_ONCE)),
            admitted: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
        }
    }
}

impl Passwords {
    /// The PHC string under which a new password is stored.
    pub(crate) async fn hash(
        &self,
        password: Zeroizing<String>,
    ) -> Result<Result<String, ControlError>, Busy> {
        self.run(move || {
            let salt: [u8; 16] = random::bytes();
            let hash: PasswordHash = argon2()?
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map_err(|_| ControlError::damaged("a password could not be hashed"))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password is the stored one. `None` is an unknown account: never right, and as slow.
    pub(crate) async fn verify(
        &self,
        password: Zeroizing<String>,
        stored: Option<String>,
    ) -> Result<bool, Busy> {
        self.run(move || {
            let known = stored.is_some();
            let stored = stored.as_deref().unwrap_or(NOBODY);
            let fits = password.len() <= LONGEST_PASSWORD;
            let password = if fits { password.as_bytes() } else { b"" };
            let Ok(hash) = PasswordHash::new(stored) else {
                return false;
            };
            let right = Argon2::default().verify_password(password, &hash).is_ok();
            right && known && fits
        })
        .await
    }

    /// Whether a new account may have this password.
    pub(crate) fn is_acceptable(password: &str) -> bool {
        password.chars().count() >= SHORTEST_PASSWORD && password.len() <= LONGEST_PASSWORD
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _admitted: OwnedSemaphorePermit =
            Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Busy)?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| Busy)?;
        tokio::task::spawn_blocking(move || {
            // Held by the work, not by the request: giving up the request does not make room for another hash.
            let _running = running;
            work()
        })
        .await
        .map_err(|_| Busy)
    }
}

fn argon2() -> Result<Argon2<'static>, ControlError> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(ControlError::damaged)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let passwords = Passwords::default();
        let stored = passwords
            .hash(secret("correct horse battery"))
            .await
            .unwrap()
            .unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "the parameters are OWASP's"
        );
        assert!(
            passwords
                .verify(secret("correct horse battery"), Some(stored.clone()))
                .await
                .unwrap()
        );
        for wrong in ["", "correct horse batter", "Correct horse battery"] {
            assert!(
                !passwords
                    .verify(secret(wrong), Some(stored.clone()))
                    .await
                    .unwrap(),
                "{wrong:?} is another one"
            );
        }
        assert!(
            !passwords
                .verify(secret("correct horse battery"), None)
                .await
                .unwrap(),
            "nobody has no password"
        );
    }

    #[test]
    fn the_stand_in_for_unknown_accounts_costs_what_a_real_hash_costs() {
        let stand_in = PasswordHash::new(NOBODY).unwrap();
        let real: PasswordHash = argon2()
            .unwrap()
            .hash_password_with_salt(b"any", &[7; 16])
            .unwrap();
        assert_eq!(stand_in.algorithm, real.algorithm);
        assert_eq!(stand_in.version, real.version);
        assert_eq!(stand_in.params, real.params);
    }

    #[tokio::test]
    async fn more_than_so_many_at_once_are_sent_away() {
        let passwords = Passwords::default();
        let all = passwords
            .admitted
            .clone()
            .try_acquire_many_owned(u32::try_from(AT_ONCE + WAITING).unwrap())
            .unwrap();
        assert_eq!(
            passwords.verify(secret("any"), None).await,
            Err(Busy),
            "memory is bounded"
        );
        drop(all);
        assert_eq!(passwords.verify(secret("any"), None).await, Ok(false));
    }
}
