//! buf's STANDARD rules over our descriptors, and a text form of every name and number.

use glotsift::rpc::FILE_DESCRIPTOR_SET;
use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, Kind, MessageDescriptor};
use std::collections::HashSet;
use std::fmt::Write;

fn pool() -> DescriptorPool {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap()
}

fn ours() -> (Vec<MessageDescriptor>, Vec<EnumDescriptor>) {
    let pool = pool();
    let messages = pool.all_messages().filter(|m| m.package_name() == "glotsift.v1" && !m.is_map_entry());
    let enums = pool.all_enums().filter(|e| e.package_name() == "glotsift.v1");
    (messages.collect(), enums.collect())
}

fn upper_snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

fn is_lower_snake(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('_')
        && !name.contains("__")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_pascal(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

#[test]
fn files_lie_where_their_package_says() {
    for file in pool().files().filter(|f| !f.package_name().starts_with("google.")) {
        let package = file.package_name();
        let version = package.rsplit('.').next().unwrap();
        assert!(version.starts_with('v') && version[1..].parse::<u32>().is_ok(), "{package}");
        let (folder, name) = file.name().rsplit_once('/').unwrap();
        assert_eq!(folder, package.replace('.', "/"));
        assert!(is_lower_snake(name.strip_suffix(".proto").unwrap()), "{name}");
        assert_eq!(file.syntax(), prost_reflect::Syntax::Proto3);
    }
}

#[test]
fn enums_have_an_unspecified_zero_and_prefixed_values() {
    for e in ours().1 {
        let prefix = format!("{}_", upper_snake(e.name()));
        assert!(is_pascal(e.name()), "{}", e.full_name());
        assert_eq!(e.default_value().name(), format!("{prefix}UNSPECIFIED"));
        assert_eq!(e.default_value().number(), 0);
        let mut numbers = HashSet::new();
        for value in e.values() {
            assert!(value.name().starts_with(&prefix), "{}", value.full_name());
            assert!(numbers.insert(value.number()), "{} is an alias", value.full_name());
        }
    }
}

#[test]
fn messages_fields_and_oneofs_are_named_alike() {
    for message in ours().0 {
        assert!(is_pascal(message.name()), "{}", message.full_name());
        for field in message.fields() {
            assert!(is_lower_snake(field.name()), "{}", field.full_name());
            assert_ne!(field.cardinality(), Cardinality::Required);
        }
        for oneof in message.oneofs() {
            let name = oneof.name().strip_prefix('_').unwrap_or(oneof.name());
            assert!(is_lower_snake(name), "{}", oneof.full_name());
        }
    }
}

#[test]
fn services_own_their_requests_and_replies() {
    let mut types = HashSet::new();
    for service in pool().services() {
        assert!(service.name().ends_with("Service") && is_pascal(service.name()), "{}", service.name());
        for method in service.methods() {
            assert!(is_pascal(method.name()), "{}", method.full_name());
            for (message, suffix) in [(method.input(), "Request"), (method.output(), "Response")] {
                assert_eq!(message.name(), format!("{}{suffix}", method.name()));
                assert!(types.insert(message.full_name().to_owned()), "{} is shared", message.full_name());
            }
        }
    }
    assert!(!types.is_empty());
}

#[test]
fn everything_is_commented() {
    for file in pool().file_descriptor_protos().filter(|f| f.package() == "glotsift.v1") {
        let comments: HashSet<Vec<i32>> = file
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .filter(|location| !location.leading_comments().trim().is_empty())
            .map(|location| location.path.clone())
            .collect();
        let mut missing = Vec::new();
        let mut need = |path: &[i32], name: &str| {
            if !comments.contains(path) {
                missing.push(name.to_owned());
            }
        };
        for (i, message) in file.message_type.iter().enumerate() {
            let path = [4, i as i32];
            need(&path, message.name());
            for (j, field) in message.field.iter().enumerate() {
                need(&[&path[..], &[2, j as i32]].concat(), &format!("{}.{}", message.name(), field.name()));
            }
            for (j, e) in message.enum_type.iter().enumerate() {
                let path = [&path[..], &[4, j as i32]].concat();
                need(&path, e.name());
                for (k, value) in e.value.iter().enumerate() {
                    need(&[&path[..], &[2, k as i32]].concat(), value.name());
                }
            }
        }
        for (i, e) in file.enum_type.iter().enumerate() {
            need(&[5, i as i32], e.name());
            for (j, value) in e.value.iter().enumerate() {
                need(&[5, i as i32, 2, j as i32], value.name());
            }
        }
        for (i, service) in file.service.iter().enumerate() {
            need(&[6, i as i32], service.name());
            for (j, method) in service.method.iter().enumerate() {
                need(&[6, i as i32, 2, j as i32], method.name());
            }
        }
        assert!(missing.is_empty(), "no comment: {missing:?}");
    }
}

/// A removed line of this snapshot breaks a client somewhere; added lines do not.
#[test]
fn names_and_numbers_do_not_change_unseen() {
    let mut text = String::new();
    let (mut messages, mut enums) = ours();
    for service in pool().services() {
        for method in service.methods() {
            let stream = |yes| if yes { "stream " } else { "" };
            let _ = writeln!(
                text,
                "rpc {}: {}{} -> {}{}",
                method.full_name(),
                stream(method.is_client_streaming()),
                method.input().name(),
                stream(method.is_server_streaming()),
                method.output().name()
            );
        }
    }
    messages.sort_by_key(|m| m.full_name().to_owned());
    for field in messages.iter().flat_map(|m| m.fields()) {
        let kind = match field.kind() {
            _ if field.is_map() => "map<string, string>".to_owned(),
            Kind::Message(m) => m.name().to_owned(),
            Kind::Enum(e) => e.name().to_owned(),
            kind => format!("{kind:?}").to_lowercase(),
        };
        let label = match (field.is_list(), field.containing_oneof()) {
            (true, _) => "repeated ".to_owned(),
            (_, Some(oneof)) if oneof.name().starts_with('_') => "optional ".to_owned(),
            (_, Some(oneof)) => format!("oneof {} ", oneof.name()),
            _ => String::new(),
        };
        let _ = writeln!(text, "{} = {}: {label}{kind}", field.full_name(), field.number());
    }
    enums.sort_by_key(|e| e.full_name().to_owned());
    for value in enums.iter().flat_map(|e| e.values()) {
        let _ = writeln!(text, "{} {} = {}", value.parent_enum().full_name(), value.name(), value.number());
    }
    insta::assert_snapshot!("wire", text);
}
