use crate::support::{TestServer, expect_error, framed, request};
use glotsift::rpc::{FILE_DESCRIPTOR_SET, pb};
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value,
};
use tonic::Code;

/// The contract as old clients have it compiled in, never written anew: `FILE_DESCRIPTOR_SET` of 28 November 2026
/// without its comments.
const OLD: &[u8] = include_bytes!("../fixtures/contract.binpb");

const SERVICE: &str = "glotsift.v1.ClassifierService";
const TEXT: &str = "Die Fähre fährt am Sonntag nicht, weil ein Sturm erwartet wird. کارما";

fn old() -> DescriptorPool {
    DescriptorPool::decode(OLD).unwrap()
}

fn ours(pool: &DescriptorPool) -> impl Iterator<Item = MessageDescriptor> + '_ {
    pool.all_messages().filter(|message| message.package_name() == "glotsift.v1")
}

/// A request with every field set, by name, as nobody's generated code is at hand.
fn filled(message: &MessageDescriptor) -> DynamicMessage {
    let mut request = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let one = match (field.name(), field.kind()) {
            ("text", _) => Value::String(TEXT.into()),
            ("language_hint" | "allowed_languages", _) => Value::String("deu".into()),
            (name, Kind::String) => Value::String(format!("an old {name}")),
            (_, Kind::Message(inner)) => Value::Message(filled(&inner)),
            ("offset_encoding", _) => Value::EnumNumber(2),
            (_, Kind::Bool) => Value::Bool(true),
            (_, Kind::Uint32) => Value::U32(3),
            (_, Kind::Double) => Value::F64(0.5),
            (name, kind) => panic!("{name}: {kind:?} in a request"),
        };
        request.set_field(&field, if field.is_list() { Value::List(vec![one]) } else { one });
    }
    request
}

/// The first message of a reply, in the old client's words.
fn read(message: MessageDescriptor, body: &[u8]) -> DynamicMessage {
    let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    DynamicMessage::decode(message, &body[5..5 + length]).unwrap()
}

fn inner(of: &DynamicMessage, name: &str) -> DynamicMessage {
    match of.get_field_by_name(name).unwrap().into_owned() {
        Value::Message(message) => message,
        Value::List(list) => list[0].as_message().unwrap().clone(),
        other => panic!("{name} is {other:?}"),
    }
}

fn text(of: &DynamicMessage, name: &str) -> String {
    of.get_field_by_name(name).unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_old_client_is_understood_and_understands() {
    let server = TestServer::start().await;
    let service = old().get_service_by_name(SERVICE).unwrap();
    let mut called = 0;
    for method in service.methods() {
        let body = framed(false, &filled(&method.input()).encode_to_vec());
        let (status, body) = server.exchange(&format!("{SERVICE}/{}", method.name()), &[], body).await;
        assert_eq!(status.code(), Code::Ok, "{}: {status:?}", method.name());
        let mut reply = read(method.output(), &body);
        called += 1;
        if method.name() == "GetServerInfo" {
            assert!(text(&reply, "model_version").contains('@'));
            assert!(!text(&inner(&reply, "languages"), "language_code").is_empty());
            continue;
        }
        if method.name() == "StreamClassifyArticles" {
            assert_eq!(text(&reply, "request_id"), "an old request_id");
        }
        if let Some(of_batch) = reply.get_field_by_name("results") {
            reply = of_batch.as_list().unwrap()[0].as_message().unwrap().clone();
        }
        if reply.descriptor().get_field_by_name("response").is_some() {
            reply = inner(&reply, "response");
        }
        assert_eq!(text(&reply, "article_id"), "an old id", "{}", method.name());
        assert_eq!(text(&inner(&reply, "language"), "language_code"), "deu");
        assert_eq!(text(&inner(&reply, "language_spans"), "bcp47_tag"), "de");
        let noise = inner(&reply, "noise");
        // In UTF-16, as asked for.
        let at = |name| noise.get_field_by_name(name).unwrap().as_u32().unwrap() as usize;
        let units: Vec<u16> = TEXT.encode_utf16().collect();
        assert_eq!(String::from_utf16(&units[at("start")..at("end")]).unwrap(), text(&noise, "text"));
        assert!(noise.get_field_by_name("kind").unwrap().as_enum_number().unwrap() > 0);
    }
    assert_eq!(called, 5);
}

#[test]
fn nothing_old_is_gone_or_has_changed() {
    let (old, new) = (old(), DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap());
    let shape = |field: &FieldDescriptor| {
        let kind = match field.kind() {
            Kind::Message(message) => message.full_name().to_owned(),
            Kind::Enum(e) => e.full_name().to_owned(),
            kind => format!("{kind:?}"),
        };
        let oneof = field.containing_oneof().map(|oneof| oneof.name().to_owned());
        (field.name().to_owned(), kind, field.is_list(), field.supports_presence(), oneof)
    };
    let mut compared = 0;
    for message in ours(&old) {
        let now = new.get_message_by_name(message.full_name()).unwrap();
        for field in message.fields() {
            let same = now.get_field(field.number()).as_ref().map(shape);
            assert_eq!(same, Some(shape(&field)), "{}", field.full_name());
            compared += 1;
        }
    }
    for e in old.all_enums().filter(|e| e.package_name() == "glotsift.v1") {
        let now = new.get_enum_by_name(e.full_name()).unwrap();
        for value in e.values() {
            assert_eq!(now.get_value(value.number()).unwrap().name(), value.name());
            compared += 1;
        }
    }
    for method in old.get_service_by_name(SERVICE).unwrap().methods() {
        let service = new.get_service_by_name(SERVICE).unwrap();
        let now = service.methods().find(|now| now.name() == method.name()).unwrap();
        assert_eq!(now.input().full_name(), method.input().full_name());
        assert_eq!(now.output().full_name(), method.output().full_name());
        assert_eq!(now.is_client_streaming(), method.is_client_streaming());
        assert_eq!(now.is_server_streaming(), method.is_server_streaming());
        compared += 1;
    }
    assert!(compared > 120, "{compared} things compared");
}

/// Fields of tomorrow, one of each wire type: 1000 a number, 1001 eight bytes, 1002 a string, 1003 a group, 1004 four bytes.
fn tomorrow() -> Vec<u8> {
    let key = |number: u32, wire: u32| {
        let key = number << 3 | wire;
        [(key & 0x7f) as u8 | 0x80, (key >> 7) as u8]
    };
    let mut bytes = Vec::new();
    bytes.extend([&key(1000, 0)[..], &[0xff, 0x01]].concat());
    bytes.extend([&key(1001, 1)[..], &[7; 8]].concat());
    bytes.extend([&key(1002, 2)[..], &[3], b"new"].concat());
    bytes.extend([key(1003, 3), key(1003, 4)].concat());
    bytes.extend([&key(1004, 5)[..], &[7; 4]].concat());
    bytes
}

#[tokio::test]
async fn a_newer_clients_fields_are_passed_over() {
    let server = TestServer::start().await;
    let classify = format!("{SERVICE}/ClassifyArticle");
    let ask = async |body: Vec<u8>| {
        let (status, body) = server.exchange(&classify, &[], framed(false, &body)).await;
        assert_eq!(status.code(), Code::Ok, "{status:?}");
        let reply = pb::ClassifyArticleResponse::decode(&body[5..]).unwrap();
        pb::ClassifyArticleResponse { timings: None, ..reply }
    };
    let plain = request("an id", TEXT);
    // In the request, and within its article.
    let article = [plain.article.as_ref().unwrap().encode_to_vec(), tomorrow()].concat();
    let length = u8::try_from(article.len() & 0x7f | 0x80).unwrap();
    let newer = [&[0x0a, length, (article.len() >> 7) as u8][..], &article, &tomorrow()].concat();
    assert_eq!(ask(newer).await, ask(plain.encode_to_vec()).await);
}

#[tokio::test]
async fn what_a_newer_client_means_but_we_do_not_know_is_refused_by_name() {
    let server = TestServer::start().await;
    for number in [4, 99, -1, i32::MAX] {
        let newer = pb::ClassifyArticleRequest { offset_encoding: number, ..request("", TEXT) };
        let status = server.client().await.classify_article(newer).await.unwrap_err();
        expect_error(&status, Code::InvalidArgument, "UNKNOWN_ENUM");
        assert!(status.message().contains(&format!("offset_encoding {number} ")), "{status:?}");
    }
    let status = server.post(&format!("{SERVICE}/ClassifyVideo"), &[], framed(false, &[])).await;
    assert_eq!(status.code(), Code::Unimplemented);
}
