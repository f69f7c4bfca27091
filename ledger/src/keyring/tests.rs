use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU8, Ordering};

use super::*;

static NEXT: AtomicU8 = AtomicU8::new(1);

/// Another key at each call.
fn counting(bytes: &mut [u8]) {
    bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed) | 1);
    if let Some(first) = bytes.first_mut() {
        *first = NEXT.fetch_add(1, Ordering::Relaxed);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

const NOVEMBER: i64 = 1_793_491_200_000_000; // 2026-11-01T00:00:00Z

#[test]
fn a_month_has_one_key_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let keyring = Keyring::open(&path, counting).unwrap();
    let november = keyring.create_salt_key(NOVEMBER).unwrap();
    let october = keyring.create_salt_key(NOVEMBER - 1).unwrap();
    assert_ne!(november, october);
    assert_eq!(
        keyring.salt_key(NOVEMBER + 86_400_000_000).unwrap(),
        november
    );
    let again = Keyring::open(&path, counting).unwrap();
    assert_eq!(again.salt_key(NOVEMBER).unwrap(), november);
    assert_eq!(again.salt_key(NOVEMBER - 1).unwrap(), october);
    let file = path.join("salt/2026-11.key");
    assert_eq!(
        fs::read_to_string(&file).unwrap().trim_end(),
        hex::encode(november)
    );
    assert_eq!(
        (mode(&file), mode(&path), mode(&path.join("salt"))),
        (0o600, 0o700, 0o700)
    );
    let names: Vec<_> = fs::read_dir(path.join("salt")).unwrap().collect();
    assert_eq!(names.len(), 2, "no draft is left: {names:?}");
}

#[test]
fn threads_and_processes_agree_on_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Keyring::open(folder.path(), counting).unwrap();
    let keyrings: Vec<Keyring> = (0..4).map(|_| open()).collect();
    let keys: Vec<Hash> = std::thread::scope(|scope| {
        let threads: Vec<_> = keyrings
            .iter()
            .map(|k| scope.spawn(|| k.create_salt_key(NOVEMBER).unwrap()))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn the_signing_key_is_made_once_and_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(folder.path(), counting).unwrap();
    assert!(matches!(
        keyring.signer("a.example/x"),
        Err(KeyringError::NoSigningKey { .. })
    ));
    let made = keyring.create_signer("a.example/x").unwrap();
    let again = keyring.create_signer("a.example/x").unwrap();
    assert_eq!(made.verifying_key(), again.verifying_key());
    assert_eq!(mode(&folder.path().join("signing.key")), 0o600);
    assert!(matches!(
        keyring.create_signer("b.example/x"),
        Err(KeyringError::OtherOrigin { .. })
    ));
}

#[test]
fn exposed_broken_and_impossible_keys_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(folder.path(), |_| ()).unwrap();
    assert!(matches!(
        keyring.create_salt_key(NOVEMBER),
        Err(KeyringError::NoRandomness)
    ));
    assert!(matches!(
        keyring.salt_key(i64::MAX),
        Err(KeyringError::Time { .. })
    ));
    assert!(matches!(
        keyring.salt_key(i64::MIN),
        Err(KeyringError::Time { .. })
    ));
    let file = folder.path().join("salt/2026-11.key");
    fs::write(&file, "00").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = keyring.salt_key(NOVEMBER).unwrap_err();
    assert!(
        matches!(exposed, KeyringError::Exposed { mode: 0o644, .. }),
        "{exposed}"
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(
        keyring.salt_key(NOVEMBER),
        Err(KeyringError::Malformed { .. })
    ));
}

#[test]
fn no_key_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(folder.path(), |bytes| bytes.fill(0xab)).unwrap();
    keyring.create_salt_key(NOVEMBER).unwrap();
    let shown = format!("{keyring:?}");
    assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
}

#[test]
fn a_lost_key_is_named_and_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(folder.path(), counting).unwrap();
    let lost = keyring.salt_key(NOVEMBER).unwrap_err();
    let said = lost.to_string();
    assert!(
        said.contains("salt/2026-11.key") && said.contains("--new-salt-key 2026-11"),
        "{said}"
    );
    assert_eq!(keyring.salt_months().unwrap(), SaltMonths::default());
    keyring.replace_salt_key("2026-11").unwrap();
    let key = keyring.salt_key(NOVEMBER).unwrap();
    keyring.replace_salt_key("2026-11").unwrap();
    assert_eq!(
        keyring.salt_key(NOVEMBER).unwrap(),
        key,
        "one that is there stays"
    );
    for month in ["2026-13", "11", "../../x", "2026-1"] {
        assert!(keyring.replace_salt_key(month).is_err(), "{month}");
    }
}

#[test]
fn past_months_are_destroyed_and_remembered_as_such() {
    const MONTH: i64 = 31 * 86_400_000_000;
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(folder.path(), counting).unwrap();
    for at in [NOVEMBER - MONTH, NOVEMBER - 1, NOVEMBER, NOVEMBER + MONTH] {
        keyring.create_salt_key(at).unwrap();
    }
    let now = "2026-12-10T00:00:00Z";
    let gone = keyring.destroy_salts_before(NOVEMBER + 5, now).unwrap();
    assert_eq!(gone, ["2026-10"], "both older times lie in October");
    assert_eq!(
        keyring.destroy_salts_before(NOVEMBER + 5, now).unwrap(),
        Vec::<String>::new()
    );
    let months = keyring.salt_months().unwrap();
    assert_eq!(months.kept, ["2026-11", "2026-12"]);
    assert_eq!(months.destroyed, ["2026-10"]);
    // Neither read nor made anew.
    for key in [
        keyring.salt_key(NOVEMBER - 1),
        keyring.create_salt_key(NOVEMBER - 1),
    ] {
        let said = key.unwrap_err().to_string();
        assert!(
            said.contains("2026-10 was destroyed at 2026-12-10") && said.contains("--from BUNDLE"),
            "{said}"
        );
    }
    keyring.salt_key(NOVEMBER).unwrap();
    // A crash between the note and the removal: the next call ends it.
    fs::write(folder.path().join("salt/2026-11.destroyed"), now).unwrap();
    assert_eq!(
        keyring.destroy_salts_before(NOVEMBER + MONTH, now).unwrap(),
        ["2026-11"]
    );
}

#[test]
fn a_successor_gets_a_key_of_its_own_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(folder.path(), counting).unwrap();
    let old = keyring.create_signer("a.example/x").unwrap();
    let new = keyring.succeed("a.example/x", "a.example/y").unwrap();
    assert_ne!(old.verifying_key(), new.verifying_key());
    let again = keyring.succeed("a.example/x", "a.example/y").unwrap();
    assert_eq!(again.verifying_key(), new.verifying_key());
    assert_eq!(
        keyring.signer("a.example/y").unwrap().verifying_key(),
        new.verifying_key()
    );
    let kept = keyring.signer_of("a.example/x").unwrap();
    assert_eq!(kept.verifying_key(), old.verifying_key());
    assert!(keyring.succeed("c.example/x", "d.example/y").is_err());
}
