//! The encoding of messages: they decode to what they were, and nothing else decodes.

use proptest::collection::vec;
use proptest::prelude::*;
use rollcall_impl::eraftpb::{self, Entry, MessageType};
use rollcall_impl::{
    Config, Epoch, Key, KeyRange, Member, MemberRole, Message, MessageError, MessagePayload, Region,
};

fn key() -> impl Strategy<Value = Key> {
    vec(any::<u8>(), 0..40).prop_map(Key::from)
}

fn member() -> impl Strategy<Value = Member> {
    let roles =
        [MemberRole::Voter, MemberRole::Learner, MemberRole::IncomingVoter, MemberRole::DemotingVoter];
    (any::<u64>(), any::<u64>(), prop::sample::select(roles.to_vec())).prop_map(|(id, store, role)| Member {
        id,
        store,
        role,
    })
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (any::<u64>(), any::<u64>()).prop_map(|(conf_ver, version)| Epoch { conf_ver, version })
}

fn region() -> impl Strategy<Value = Box<Region>> {
    (any::<u64>(), key(), key(), epoch(), vec(member(), 0..6))
        .prop_map(|(id, start, end, epoch, peers)| Box::new(Region { id, start, end, epoch, peers }))
}

fn raft() -> impl Strategy<Value = Box<eraftpb::Message>> {
    let kinds = [
        MessageType::MsgAppend,
        MessageType::MsgRequestVote,
        MessageType::MsgSnapshot,
        MessageType::MsgHeartbeatResponse,
        MessageType::MsgTimeoutNow,
    ];
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>(), any::<bool>());
    let data = (vec(vec(any::<u8>(), 0..30), 0..5), vec(any::<u8>(), 0..50));
    (prop::sample::select(kinds.to_vec()), numbers, data).prop_map(|(kind, numbers, (entries, snapshot))| {
        let mut message = eraftpb::Message::default();
        message.set_msg_type(kind);
        (message.to, message.from, message.term, message.index, message.reject) = numbers;
        message.entries =
            entries.into_iter().map(|data| Entry { data: data.into(), ..Entry::default() }).collect();
        if kind == MessageType::MsgSnapshot {
            message.mut_snapshot().data = snapshot.into();
        }
        Box::new(message)
    })
}

fn message() -> impl Strategy<Value = Message> {
    let payload = prop_oneof![
        raft().prop_map(MessagePayload::Raft),
        region().prop_map(MessagePayload::GcPeer),
        region().prop_map(MessagePayload::Merged),
        Just(MessagePayload::CheckStalePeer),
        vec(member(), 0..6).prop_map(MessagePayload::CheckStalePeerResponse),
    ];
    (any::<u64>(), member(), member(), epoch(), (key(), key()), payload).prop_map(
        |(region, from, to, epoch, (start, end), payload)| Message {
            region,
            from,
            to,
            epoch,
            range: KeyRange { start, end },
            payload,
        },
    )
}

proptest! {
    #[test]
    fn a_message_decodes_to_itself(message in message()) {
        let bytes = message.encode(Config::NEVER).unwrap();
        prop_assert!(bytes.len() as u64 <= message.size(), "{} of {}", bytes.len(), message.size());
        let length = bytes.len() as u64;
        prop_assert_eq!(Message::decode(&bytes, length).unwrap(), message.clone());
        let limit = length - 1;
        let refused = MessageError::TooLarge { bytes: length, limit };
        prop_assert_eq!(Message::decode(&bytes, limit), Err(refused));
        prop_assert_eq!(message.encode(limit).map(|bytes| bytes.len() as u64), Err(refused));
    }

    #[test]
    fn a_message_that_is_cut_off_or_too_long_is_refused(message in message(), at in any::<prop::sample::Index>()) {
        let mut bytes = message.encode(Config::NEVER).unwrap();
        let part = &bytes[..at.index(bytes.len())];
        prop_assert!(matches!(Message::decode(part, Config::NEVER), Err(MessageError::Damaged(_))));
        bytes.push(0);
        prop_assert!(matches!(Message::decode(&bytes, Config::NEVER), Err(MessageError::Damaged(_))));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(mut bytes in vec(any::<u8>(), 0..200), known in any::<bool>()) {
        if known && let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Ok(message) = Message::decode(&bytes, Config::NEVER) {
            let again = message.encode(Config::NEVER).unwrap();
            prop_assert_eq!(Message::decode(&again, Config::NEVER), Ok(message));
        }
    }

    #[test]
    fn a_message_of_another_format_is_named(message in message(), found in 2u8..) {
        let mut bytes = message.encode(Config::NEVER).unwrap();
        bytes[0] = found;
        let refused = Message::decode(&bytes, Config::NEVER).unwrap_err();
        prop_assert_eq!(refused, MessageError::Version { found });
        prop_assert_eq!(refused.to_string(), format!("a message of format {found}; this store speaks format 1"));
    }
}

/// A count is not trusted before its members are there.
#[test]
fn a_great_number_of_members_is_no_reason_to_set_memory_aside() {
    let member = Member { id: 1, store: 1, role: MemberRole::Voter };
    let payload = MessagePayload::CheckStalePeerResponse(Vec::new());
    let (epoch, range) = (Epoch { conf_ver: 1, version: 1 }, KeyRange::whole());
    let message = Message { region: 1, from: member, to: member, epoch, range, payload };
    let mut bytes = message.encode(Config::NEVER).unwrap();
    assert_eq!(bytes.pop(), Some(0), "the number of members");
    bytes.extend([0xff; 9]);
    bytes.push(1);
    let refused = Message::decode(&bytes, Config::NEVER).unwrap_err();
    assert!(matches!(refused, MessageError::Damaged(_)), "{refused}");
}
