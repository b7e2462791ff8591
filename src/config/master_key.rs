//! Where the master key comes from, and how it is first made.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::{MASTER_KEY_VARIABLE, Settings, StartError, variable};
use crate::secret::vault::Vault;

const MASTER_KEY_FILE: &str = "master.key";
const MASTER_KEY_CREDENTIAL: &str = "latchkey.master.key";

impl Settings {
    /// The master key's text: from the variable, the file, systemd's credentials, or the data directory, where it is
    /// made if `may_create`.
    pub(crate) fn master_key(&self, may_create: bool) -> Result<SecretString, StartError> {
        if let Some(text) = variable(MASTER_KEY_VARIABLE) {
            return Ok(text.into());
        }
        if let Some(file) = &self.master_key_file {
            return read_master_key(file);
        }
        if let Some(directory) = variable("CREDENTIALS_DIRECTORY") {
            let file = Path::new(&directory).join(MASTER_KEY_CREDENTIAL);
            if file.exists() {
                return read_master_key(&file);
            }
        }
        let file = self.data_dir.join(MASTER_KEY_FILE);
        match file.try_exists() {
            Ok(true) => read_master_key(&file),
            _ if may_create => self.create_master_key(&file),
            _ => Err(StartError::MasterKeyMissing { path: file.display().to_string() }),
        }
    }

    fn create_master_key(&self, file: &Path) -> Result<SecretString, StartError> {
        self.make_data_dir()?;
        let text = Vault::generate_master_key();
        // Whole or not at all: half a key after a crash would lock the database for ever. Temporary files are 0600.
        let written = tempfile::NamedTempFile::new_in(&self.data_dir).and_then(|mut whole| {
            whole.write_all(text.expose_secret().as_bytes())?;
            whole.as_file().sync_all()?;
            whole.persist_noclobber(file).map_err(|failed| failed.error)?;
            std::fs::File::open(&self.data_dir)?.sync_all()
        });
        match written {
            Ok(()) => Ok(text),
            Err(cause) => Err(StartError::MasterKeyFile { path: file.display().to_string(), cause }),
        }
    }
}

fn read_master_key(file: &Path) -> Result<SecretString, StartError> {
    if std::fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        tracing::warn!(file = %file.display(), "others than its owner can read the master key; chmod it to 600");
    }
    std::fs::read_to_string(file)
        .map(Into::into)
        .map_err(|cause| StartError::MasterKeyFile { path: file.display().to_string(), cause })
}
