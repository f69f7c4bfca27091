use proptest::prelude::*;

use super::*;

const NAME: &str = "ledger.example/main";

fn signer() -> Signer {
    Signer::from_seed(NAME, &[7; 32]).unwrap()
}

#[test]
fn a_signed_note_is_read_and_verified() {
    let note = sign("one\n\ntwo\n", &signer()).unwrap();
    let read = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(read, note);
    let verified = read.verify(&[signer().verifying_key().clone()]).unwrap();
    assert_eq!((verified.len(), verified[0].time_s), (1, None));
}

#[test]
fn keys_survive_writing() {
    let signer = signer();
    let again = Signer::from_secret(&signer.to_secret()).unwrap();
    assert_eq!(again.verifying_key(), signer.verifying_key());
    let text = signer.verifying_key().to_string();
    assert_eq!(
        text.parse::<VerifyingKey>().unwrap(),
        *signer.verifying_key()
    );
}

/// The key and the note of Go's documentation of `golang.org/x/mod/sumdb/note`.
#[test]
fn gos_own_example_verifies() {
    let key: VerifyingKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        .parse()
        .unwrap();
    let note = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert!(Note::parse(note.as_bytes()).unwrap().verify(&[key]).is_ok());
}

/// The cosigned example of C2SP `tlog-cosignature` cannot be verified without its key; its form can be read.
#[test]
fn a_cosignature_verifies_with_its_time() {
    let plain = sign("log.example\n1\nAA==\n", &signer()).unwrap();
    let secret = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    let public = secret.verifying_key();
    let id = key_id("witness.example", COSIGNATURE, public.as_bytes());
    let key = VerifyingKey {
        name: "witness.example".into(),
        id,
        kind: COSIGNATURE,
        key: public,
    };
    let message = format!("cosignature/v1\ntime 1679315147\n{}", plain.text);
    let mut bytes = 1_679_315_147_u64.to_be_bytes().to_vec();
    bytes.extend(secret.sign(message.as_bytes()).to_vec());
    let mut note = plain;
    note.signatures.push(Signature {
        name: "witness.example".into(),
        id,
        bytes,
    });
    let key: VerifyingKey = key.to_string().parse().unwrap();
    let verified = note.verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!(verified[0].time_s, Some(1_679_315_147));
    note.signatures[1].bytes[0] ^= 1;
    assert_eq!(
        note.verify(&[key]),
        Err(NoteError::Signature("witness.example".into()))
    );
}

#[test]
fn malformed_notes_are_refused() {
    let good = sign("text\n", &signer()).unwrap().to_string();
    for (wrong, why) in [
        (String::new(), NoteError::Form),
        ("text\n".into(), NoteError::Form),
        (good.trim_end().into(), NoteError::Form),
        (format!("{good}\n"), NoteError::Form),
        (format!("{good}more\n"), NoteError::Line(2)),
        (good.replace('—', "-"), NoteError::Line(1)),
        (good.replace("text", "te\txt"), NoteError::Text),
        (good.replace("=\n", "\n"), NoteError::Line(1)),
        ("a\n\n— n AAAAAA==\n".into(), NoteError::Line(1)),
    ] {
        assert_eq!(Note::parse(wrong.as_bytes()), Err(why), "{wrong:?}");
    }
    assert_eq!(Note::parse(&[0xff, b'\n', b'\n']), Err(NoteError::Text));
    let many = format!("{good}{}", "— name AAAAAAA=\n".repeat(100));
    assert_eq!(Note::parse(many.as_bytes()), Err(NoteError::TooLarge));
    assert_eq!(
        Note::parse(&vec![b'a'; MOST_BYTES + 1]),
        Err(NoteError::TooLarge)
    );
}

#[test]
fn strangers_and_forgers_are_told_apart() {
    let mut note = sign("text\n", &signer()).unwrap();
    let stranger = Signer::from_seed("other.example", &[8; 32]).unwrap();
    let key = |signer: &Signer| vec![signer.verifying_key().clone()];
    assert_eq!(
        note.verify(&key(&stranger)),
        Err(NoteError::Unknown(NAME.into()))
    );
    assert_eq!(note.verify(&[]), Err(NoteError::Unknown(NAME.into())));
    note.text = "texu\n".into();
    assert_eq!(
        note.verify(&key(&signer())),
        Err(NoteError::Signature(NAME.into()))
    );
}

#[test]
fn wrong_keys_are_refused_and_never_shown() {
    let secret = signer().to_secret();
    let public = signer().verifying_key().to_string();
    for wrong in [
        "",
        "a",
        "a+b",
        "a+0123456+AQ==",
        "+01234567+AQ==",
        "a b+01234567+AQ==",
    ] {
        assert!(wrong.parse::<VerifyingKey>().is_err(), "{wrong}");
        assert!(
            Signer::from_secret(&format!("{SECRET_PREFIX}{wrong}")).is_err(),
            "{wrong}"
        );
    }
    assert!(matches!(
        public.replace("main+", "mail+").parse::<VerifyingKey>(),
        Err(KeyError::Id { .. })
    ));
    assert!(matches!(
        "a+01234567+Ag==".parse::<VerifyingKey>(),
        Err(KeyError::Type { kind: 2, .. })
    ));
    assert!(Signer::from_seed("a+b", &[0; 32]).is_err());
    let seed = secret.rsplit('+').next().unwrap();
    assert!(!format!("{:?}", signer()).contains(seed));
    assert!(secret.parse::<VerifyingKey>().is_err());
}

proptest! {
    #[test]
    fn any_text_that_can_be_signed_round_trips(text in "[^\\x00-\\x09\\x0b-\\x1f]{0,80}\n") {
        let note = sign(&text, &signer()).unwrap();
        let read = Note::parse(note.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&read, &note);
        prop_assert!(read.verify(&[signer().verifying_key().clone()]).is_ok());
    }

    #[test]
    fn no_bytes_make_parsing_panic(bytes: Vec<u8>) {
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn a_damaged_note_is_refused_or_prints_as_it_was(at: prop::sample::Index, byte: u8) {
        let mut bytes = sign("a\n\nb\n", &signer()).unwrap().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(note) = Note::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn no_text_makes_a_key_panic(text in "\\PC{0,60}") {
        let _ = text.parse::<VerifyingKey>();
        let _ = Signer::from_secret(&text);
    }
}
