//! The source of the master key, its creation, and changes to its file.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{MASTER_KEY_VARIABLE, Settings, variable};
use crate::scratch;
use crate::secret::vault::{self, MasterKeyFormat, Vault};
use crate::start_error::StartError;

const MASTER_KEY_FILE: &str = "master.key";
const MASTER_KEY_CREDENTIAL: &str = "latchkey.master.key";
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// The place where the master key is kept.
#[derive(Clone, Debug)]
enum Place {
    /// In the environment variable.
    Variable,
    /// In systemd's credentials directory, which nobody can write to.
    Credential(PathBuf),
    /// In the file that the settings name.
    Named(PathBuf),
    /// In the data directory, where it is created.
    DataDir(PathBuf),
}

impl Place {
    fn read(&self) -> Result<SecretString, StartError> {
        let (Self::Named(file) | Self::DataDir(file) | Self::Credential(file)) = self else {
            return Ok(variable(MASTER_KEY_VARIABLE).unwrap_or_default().into());
        };
        let failed = |cause| StartError::MasterKeyFile { path: file.display().to_string(), cause };
        std::fs::read_to_string(file).map(Into::into).map_err(failed)
    }

    fn warn_if_open_to_others(&self) {
        let (Self::Named(file) | Self::DataDir(file)) = self else { return };
        if std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
            tracing::warn!(file = %file.display(), "users other than its owner can read the master key; chmod it to 600");
        }
    }
}

impl From<MasterKeyFormat> for StartError {
    fn from(malformed: MasterKeyFormat) -> Self {
        Self::MasterKeyFormat(malformed.to_string())
    }
}

impl Settings {
    fn master_key_place(&self) -> Place {
        let credentials = variable(CREDENTIALS_VARIABLE).map(PathBuf::from);
        if variable(MASTER_KEY_VARIABLE).is_some() {
            return Place::Variable;
        }
        if let Some(file) = self.master_key_file.clone() {
            let is_credential = credentials.is_some_and(|directory| file.starts_with(directory));
            return if is_credential { Place::Credential(file) } else { Place::Named(file) };
        }
        if let Some(file) = credentials.map(|directory| directory.join(MASTER_KEY_CREDENTIAL))
            && file.exists()
        {
            return Place::Credential(file);
        }
        Place::DataDir(self.data_dir.join(MASTER_KEY_FILE))
    }

    /// The path of the master key in the data directory, if it exists and is the one in use.
    pub(super) fn own_master_key(&self) -> Option<PathBuf> {
        match self.master_key_place() {
            Place::DataDir(file) if file.exists() => Some(file),
            _ => None,
        }
    }

    /// The master key's text: from the variable, the file, systemd's credentials, or the data directory, where it is
    /// created if `may_create`.
    pub(crate) fn master_key(&self, may_create: bool) -> Result<SecretString, StartError> {
        let place = self.master_key_place();
        if let Place::DataDir(file) = &place
            && !file.try_exists().unwrap_or(false)
        {
            if may_create {
                return self.create_master_key(file);
            }
            let path = file.display().to_string();
            return Err(match variable(CREDENTIALS_VARIABLE) {
                Some(directory) => StartError::CredentialMissing { path, directory },
                None => StartError::MasterKeyMissing { path },
            });
        }
        place.warn_if_open_to_others();
        place.read()
    }

    /// Returns a function that reads the master key's text again, from where it came from.
    pub(crate) fn master_key_reader(&self) -> impl Fn() -> Option<SecretString> + Send + Sync + 'static {
        let place = self.master_key_place();
        move || place.read().ok()
    }

    /// Locks the master key's file, for this process alone to change. If the file cannot be changed, returns the name
    /// of what to change by hand instead.
    pub(crate) fn master_key_to_change(&self) -> Result<Result<MasterKeyFile, String>, StartError> {
        match self.master_key_place() {
            Place::Variable => Ok(Err(MASTER_KEY_VARIABLE.to_owned())),
            Place::Credential(_) => Ok(Err(format!("the file that the credential {MASTER_KEY_CREDENTIAL} is made of"))),
            Place::Named(file) | Place::DataDir(file) => MasterKeyFile::lock(&file).map(Ok),
        }
    }

    fn create_master_key(&self, file: &Path) -> Result<SecretString, StartError> {
        self.make_data_dir()?;
        let text = Vault::generate_master_key();
        // Written as a whole or not at all: half a key after a crash would lock the database for ever. Temporary files
        // are 0600.
        let written = scratch::file_in(&self.data_dir).and_then(|mut whole| {
            whole.write_all(text.expose_secret().as_bytes())?;
            whole.as_file().sync_all()?;
            whole.persist_noclobber(file).map_err(|failed| failed.error)?;
            File::open(&self.data_dir)?.sync_all()
        });
        match written {
            Ok(()) => Ok(text),
            Err(cause) => Err(StartError::MasterKeyFile { path: file.display().to_string(), cause }),
        }
    }
}

/// The file of the master key, locked so that no other process changes it at the same time.
#[derive(Debug)]
pub(crate) struct MasterKeyFile {
    path: PathBuf,
    /// The file's directory, which is locked instead of the file, because every change replaces the file.
    directory: File,
}

impl MasterKeyFile {
    fn lock(file: &Path) -> Result<Self, StartError> {
        let failed = |cause| StartError::MasterKeyFile { path: file.display().to_string(), cause };
        // Follow a symbolic link to the actual file.
        let path = file.canonicalize().map_err(failed)?;
        let directory = File::open(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        match directory.try_lock() {
            Ok(()) => Ok(Self { path, directory }),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(StartError::Setting("another process is changing the master key at the moment".to_owned()))
            }
            Err(std::fs::TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a new key of this version.
    pub(crate) fn add(&self, version: i64) -> Result<(), StartError> {
        self.change(|lines| lines.push(Vault::generate_version(version).expose_secret().trim().to_owned()))
    }

    /// Removes the versions for which `is_over` returns `true`, and leaves everything else.
    pub(crate) fn take_out(&self, is_over: impl Fn(i64) -> bool) -> Result<(), StartError> {
        self.change(|lines| lines.retain(|line| !vault::version_of_line(line).is_some_and(&is_over)))
    }

    /// Replaces the file as a whole: after a crash, it is the old one or the new one.
    fn change(&self, change: impl FnOnce(&mut Vec<String>)) -> Result<(), StartError> {
        let written = std::fs::read_to_string(&self.path).map(Zeroizing::new).and_then(|old| {
            let mut lines: Vec<String> = old.split(['\n', ',']).map(str::to_owned).collect();
            while lines.last().is_some_and(|line| line.trim().is_empty()) {
                lines.pop();
            }
            change(&mut lines);
            let lines = Zeroizing::new(lines);
            let text = Zeroizing::new(lines.join("\n") + "\n");
            self.replace(text.as_bytes())
        });
        written.map_err(|cause| StartError::MasterKeyUnwritable { path: self.path.display().to_string(), cause })
    }

    fn replace(&self, text: &[u8]) -> std::io::Result<()> {
        let old = std::fs::metadata(&self.path)?;
        let mut whole = scratch::file_in(self.path.parent().unwrap_or(Path::new("/")))?;
        let new = whole.as_file().metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // If root changes the file of the server's user, that user must still be able to read it.
            std::os::unix::fs::fchown(whole.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        whole.as_file().set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o777))?;
        whole.write_all(text)?;
        whole.as_file().sync_all()?;
        whole.persist(&self.path).map_err(|failed| failed.error)?;
        self.directory.sync_all()
    }
}
