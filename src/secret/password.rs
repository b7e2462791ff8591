//! Passwords: the requirements for new ones, and hashing with Argon2id on dedicated threads.
//!
//! Hashing takes 19 MiB and some 15 ms by design. Two low-priority threads, which keep their memory, take passwords
//! from a bounded queue. This limits the memory used and the delay of all other work, no matter how many sign-ins
//! arrive.

use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;
use zxcvbn::matching::patterns::MatchPattern;

use crate::types::error::{Error, PasswordFlaw};
use crate::types::random;

/// The shortest accepted password, in characters. NIST SP 800-63B-4 asks for 8, because a second factor always follows.
pub const MIN_CHARS: usize = 8;
/// The longest accepted password, in characters.
pub const MAX_CHARS: usize = 128;

const THREADS: usize = 2;
const QUEUE: usize = 64;
/// The time without work after which a thread frees its 19 MiB.
const KEEP_MEMORY: Duration = Duration::from_secs(10);

/// The reason why a password was not hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// More passwords are waiting than the server accepts.
    #[error("too many passwords are waiting to be hashed")]
    QueueFull,
    /// The threads have ended.
    #[error("the hashing threads have ended")]
    ThreadsEnded,
}

impl From<HashError> for Error {
    fn from(cause: HashError) -> Self {
        match cause {
            HashError::QueueFull => Self::Busy,
            HashError::ThreadsEnded => Self::internal(cause),
        }
    }
}

/// Checks a new password for the account `name`. The error is its first flaw.
pub fn validate(password: &SecretString, name: &str) -> Result<(), PasswordFlaw> {
    flaws(password, name).first().map_or(Ok(()), |flaw| Err(*flaw))
}

/// Returns every flaw of a new password for the account `name`. Any Unicode is allowed, and there are no rules about its
/// composition.
pub fn flaws(password: &SecretString, name: &str) -> Vec<PasswordFlaw> {
    let password = password.expose_secret();
    let chars = password.chars().count();
    if chars > MAX_CHARS {
        // The checks below take time that grows with the length.
        return vec![PasswordFlaw::TooLong];
    }
    let found = [
        (chars < MIN_CHARS, PasswordFlaw::TooShort),
        (made_of_a_name(password, name), PasswordFlaw::Name),
        (is_common(password), PasswordFlaw::Common),
    ];
    found.into_iter().filter_map(|(has, flaw)| has.then_some(flaw)).collect()
}

/// Returns `true` if the password is on the list that ships with `zxcvbn`, as it is or in the usual disguises (case,
/// digits for letters, reversed), or is a mere repetition, sequence or keyboard pattern.
fn is_common(password: &str) -> bool {
    let estimate = zxcvbn::zxcvbn(password, &[]);
    match estimate.sequence() {
        [whole] => matches!(
            whole.pattern,
            MatchPattern::Dictionary(_)
                | MatchPattern::Repeat(_)
                | MatchPattern::Sequence(_)
                | MatchPattern::Spatial(_)
        ),
        _ => false,
    }
}

/// Returns `true` if only digits and punctuation are left once a name has been removed.
fn made_of_a_name(password: &str, name: &str) -> bool {
    let password = password.to_lowercase();
    [name.trim().to_lowercase().as_str(), "latchkey"].iter().filter(|name| name.chars().count() >= 3).any(|name| {
        let rest = password.replace(name, "");
        rest.len() < password.len() && !rest.chars().any(char::is_alphabetic)
    })
}

enum Job {
    Hash(SecretString, oneshot::Sender<String>),
    /// Without a hash to compare with, a dummy hash is computed, and the result is `false`.
    Verify(SecretString, Option<String>, oneshot::Sender<bool>),
}

/// A handle to the hashing threads.
#[derive(Clone, Debug)]
pub struct PasswordHasher(Sender<Job>);

impl PasswordHasher {
    /// Starts the threads; they end when the last clone is dropped.
    pub fn start() -> Self {
        let (sender, receiver) = bounded(QUEUE);
        for number in 0..THREADS {
            let jobs = receiver.clone();
            std::thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&jobs))
                .expect("the system must allow two more threads");
        }
        Self(sender)
    }

    /// The number of passwords that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.0.len()
    }

    /// Hashes a new password and returns the PHC string. Returns [`HashError::QueueFull`] if the queue is full.
    pub async fn hash(&self, password: SecretString) -> Result<String, HashError> {
        self.submit(|answer| Job::Hash(password, answer)).await
    }

    /// Returns `true` if this is the password of `hash`. Takes as long if there is no hash. Returns
    /// [`HashError::QueueFull`] if the queue is full.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, HashError> {
        self.submit(|answer| Job::Verify(password, hash, answer)).await
    }

    async fn submit<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, HashError> {
        let (sender, answer) = oneshot::channel();
        match self.0.try_send(job(sender)) {
            Ok(()) => answer.await.map_err(|_| HashError::ThreadsEnded),
            Err(TrySendError::Full(_)) => Err(HashError::QueueFull),
            Err(TrySendError::Disconnected(_)) => Err(HashError::ThreadsEnded),
        }
    }
}

fn work(jobs: &Receiver<Job>) {
    // Run at a lower priority than the threads that serve pages, or at the same one if the system does not permit that.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10);
    let mut memory: Vec<Block> = Vec::new();
    loop {
        match jobs.recv_timeout(KEEP_MEMORY) {
            Ok(Job::Hash(password, answer)) => {
                let _ = answer.send(hash(&password, &mut memory));
            }
            Ok(Job::Verify(password, hash, answer)) => {
                let _ = answer.send(verify(&password, hash.as_deref(), &mut memory));
            }
            Err(RecvTimeoutError::Timeout) => memory = Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

const OUTPUT_BYTES: usize = 32;
/// The most memory that stored parameters may ask for: 64 MiB, in blocks of 1 KiB, so that later versions may ask for
/// more than this one.
const MOST_BLOCKS: usize = 64 * 1024;

/// One of the configurations that OWASP recommends for Argon2id: 19 MiB, 2 passes, 1 lane.
fn current_params() -> Params {
    Params::new(19 * 1024, 2, 1, Some(OUTPUT_BYTES)).expect("within Argon2's limits")
}

/// Returns `None` if Argon2 does not accept the salt or the parameters, or if they ask for more than [`MOST_BLOCKS`].
fn derive(password: &SecretString, salt: &[u8], params: Params, memory: &mut Vec<Block>) -> Option<[u8; OUTPUT_BYTES]> {
    if params.block_count() > MOST_BLOCKS {
        return None;
    }
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let mut output = [0; OUTPUT_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, &mut output, memory)
        .ok()?;
    Some(output)
}

fn hash(password: &SecretString, memory: &mut Vec<Block>) -> String {
    let params = current_params();
    let salt = random::bytes::<16>();
    let output = derive(password, &salt, params.clone(), memory).expect("Argon2 accepts our own parameters");
    PasswordHash {
        algorithm: argon2::ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).expect("Argon2's parameters have a PHC form"),
        salt: Some(Salt::new(&salt).expect("16 bytes are a PHC salt")),
        hash: Some(Output::new(&output).expect("32 bytes are a PHC output")),
    }
    .to_string()
}

fn verify(password: &SecretString, hash: Option<&str>, memory: &mut Vec<Block>) -> bool {
    let Some((params, salt, expected)) = hash.and_then(stored_parts) else {
        derive(password, &[0; 16], current_params(), memory);
        return false;
    };
    derive(password, &salt, params, memory).is_some_and(|output| output.ct_eq(&expected).into())
}

fn stored_parts(phc: &str) -> Option<(Params, Vec<u8>, [u8; OUTPUT_BYTES])> {
    let stored = PasswordHash::new(phc).ok().filter(|stored| stored.algorithm == argon2::ARGON2ID_IDENT)?;
    let params = Params::try_from(&stored).ok()?;
    let expected = stored.hash?.as_bytes().try_into().ok()?;
    Some((params, stored.salt?.as_ref().to_vec(), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(password: &str) -> Option<PasswordFlaw> {
        validate(&password.to_owned().into(), "Margarethe").err()
    }

    #[test]
    fn validates_a_new_password_and_says_why() {
        assert_eq!(flaw("kurz"), Some(PasswordFlaw::TooShort));
        assert_eq!(flaw(&"ä".repeat(129)), Some(PasswordFlaw::TooLong));
        for common in ["password", "Passw0rd", "password123", "12345678", "qwertyuiop", "iloveyou", "aaaaaaaaaa"] {
            assert_eq!(flaw(common), Some(PasswordFlaw::Common), "{common}");
        }
        assert_eq!(flaw("margarethe1999!"), Some(PasswordFlaw::Name));
        assert_eq!(flaw("Latchkey2026"), Some(PasswordFlaw::Name));
        for good in ["correct horse battery staple", "ein Käfig aus Glas", "密码不是很短的一个句子", "xK9#mQ2v"]
        {
            assert_eq!(flaw(good), None, "{good}");
        }
    }

    #[tokio::test]
    async fn verifies_what_it_hashed_and_nothing_else() {
        let hasher = PasswordHasher::start();
        let hash = hasher.hash("a good long one".to_owned().into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify("a good long one".to_owned().into(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("a good long one ".to_owned().into(), Some(hash)).await.unwrap());
        assert!(!hasher.verify("a good long one".to_owned().into(), None).await.unwrap());
        assert!(!hasher.verify("x".to_owned().into(), Some("not a hash".into())).await.unwrap());
    }
}
