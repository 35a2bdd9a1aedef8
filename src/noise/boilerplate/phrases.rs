//! The words of page furniture: labels and tails of frames, lines no article has, and line statistics.
//!
//! Kept short on purpose: the fingerprint set knows templates by the thousand, this only what a rule needs.

use super::prints::Prints;
use super::{BoilerplateSet, fingerprint};
use crate::class::is_alphanumeric;
use std::sync::LazyLock;

/// Words before the colon of a category or tag line.
const LABELS: &str = "category|categories|tag|tags|tagged|topic|topics|labels|keywords|section|filed under|posted in|\
published in|posted under|more in|in category|kategorie|kategorien|schlagwörter|schlagworte|veröffentlicht in|\
abgelegt unter|rubrik|thema|themen|catégorie|catégories|étiquettes|étiquette|classé dans|publié dans|rubrique|\
mots-clés|categoría|categorías|etiquetas|etiqueta|archivado en|publicado en|archivado bajo|temas|categoria|\
categorie|categorias|publicado em|arquivado em|marcadores|palavras-chave|pubblicato in|archiviato in|etichette|\
argomenti|categorieën|geplaatst in|trefwoorden|onderwerpen|kategori|kategorier|etiketter|publicerat i|postet i|\
nøgleord|stikord|taggar|ämnen|emner|merkelapper|kategoria|kategoriat|avainsanat|tagi|kategorie wpisu|słowa kluczowe|\
opublikowano w|štítky|rubrika|témata|kategorije|kategorija|oznake|kategória|kategóriák|címkék|címke|etichete|\
publicat în|categorii|kategoriler|etiketler|chuyên mục|danh mục|thẻ|từ khóa|kategoriya|label|kategorya|\
категория|категории|рубрика|рубрики|метки|теги|тема|темы|категорія|категорії|рубрики сайту|позначки|мітки|\
катэгорыя|катэгорыі|рубрыка|тэгі|меткі|етикети|ознаки|ознаке|категорија|категорије|таг|тагове|κατηγορία|\
κατηγορίες|ετικέτες|ετικέτα|κατηγορίες άρθρων|קטגוריה|קטגוריות|תגיות|תגים|נושאים|التصنيف|التصنيفات|تصنيف|الوسوم|\
وسوم|القسم|قسم|الأقسام|کلمات کلیدی|دسته|دسته‌ها|دسته بندی|دسته‌بندی|برچسب|برچسب‌ها|زمرہ|زمرہ جات|زمرے|ٹیگز|ٹیگ|\
موضوع|श्रेणी|श्रेणियाँ|वर्ग|टैग|टॅग|विषय|বিভাগ|বিভাগসমূহ|ট্যাগ|ট্যাগস|ਸ਼੍ਰੇਣੀ|ਟੈਗ|શ્રેણી|વિભાગ|ટેગ્સ|ટૅગ|வகை|பிரிவு|குறிச்சொற்கள்|\
వర్గం|ట్యాగ్‌లు|వర్గాలు|ವರ್ಗ|ಟ್ಯಾಗ್‌ಗಳು|ವಿಭಾಗ|വിഭാഗം|ടാഗുകൾ|ප්‍රවර්ගය|ප්‍රවර්ග|ටැග|หมวดหมู่|หมวด|ป้ายกำกับ|แท็ก|ໝວດ|\
အမျိုးအစား|ကဏ္ဍ|ប្រភេទ|ស្លាក|კატეგორია|კატეგორიები|თეგები|ტეგები|կատեգորիա|բաժին|պիտակներ|ምድብ|መለያዎች|\
分类|分類|标签|標籤|栏目|欄目|类别|類別|关键词|關鍵字|发表在|发布于|カテゴリー|カテゴリ|タグ|分野|카테고리|태그|분류|키워드";

/// Labels that stand without a colon.
const BARE_LABELS: [&str; 8] = [
    "Posted in",
    "Filed under",
    "Filed Under",
    "Published in",
    "Posted under",
    "Veröffentlicht in",
    "Publié dans",
    "Publicado en",
];

/// What follows the label on such a line.
const TAILS: &str = "no comments|no comment|no comments yet|leave a comment|leave a reply|comments off|add comment|comments|\
comment|keine kommentare|kommentar hinterlassen|aucun commentaire|pas de commentaire|laisser un commentaire|\
sin comentarios|deja un comentario|no hay comentarios|sem comentários|nenhum comentário|deixe um comentário|\
nessun commento|lascia un commento|geen reacties|reageer|inga kommentarer|ingen kommentarer|ei kommentteja|\
brak komentarzy|žádné komentáře|bez komentářů|žiadne komentáre|nema komentara|nincs hozzászólás|niciun comentariu|\
fără comentarii|yorum yok|yorum yapın|tidak ada komentar|tiada komen|chưa có bình luận|không có bình luận|walang komento|\
нет комментариев|комментариев нет|немає коментарів|няма коментари|нема коментара|нема коментари|каментароў няма|\
няма каментароў|χωρίς σχόλια|κανένα σχόλιο|אין תגובות|لا تعليقات|لا توجد تعليقات|اترك تعليقا|بدون نظر|بدون دیدگاه|\
بدون ديدگاه|کوئی تبصرہ نہیں|कोई टिप्पणी नहीं|प्रतिक्रिया नाही|कुनै टिप्पणी छैन|কোন মন্তব্য নেই|কোনো মন্তব্য নেই|\
ਕੋਈ ਟਿੱਪਣੀ ਨਹੀਂ|કોઈ ટિપ્પણી નથી|கருத்துகள் இல்லை|వ్యాఖ్యలు లేవు|ಯಾವುದೇ ಪ್ರತಿಕ್ರಿಯೆಗಳಿಲ್ಲ|അഭിപ്രായങ്ങളൊന്നുമില്ല|\
ไม่มีความเห็น|ไม่มีความคิดเห็น|არ არის კომენტარები|մեկնաբանություններ չկան|暂无评论|没有评论|暫無評論|尚無留言|\
無評論|コメントはまだありません|コメントなし|コメントはありません|댓글 없음|댓글이 없습니다";

/// Whole lines that are never an article's.
const SURE: &str = "advertisement|advertisements|advertising|sponsored content|story continues below|\
article continues below|scroll to continue|all rights reserved|subscribe to our newsletter|sign up for our newsletter|\
subscribe now|sign up now|click here to read more|read more|continue reading|read the full story|read full article|\
share this|share this article|share this post|share on facebook|follow us|follow us on twitter|back to top|\
skip to content|skip to main content|related articles|related posts|related stories|recommended for you|\
you may also like|most read|trending now|accept all cookies|accept cookies|manage cookies|cookie settings|\
privacy policy|terms of use|terms and conditions|leave a comment|leave a reply|post a comment|\
your email address will not be published|required fields are marked|print this page|email this article|\
alle rechte vorbehalten|anzeige|werbung|weiterlesen|newsletter abonnieren|schreibe einen kommentar|\
kommentar schreiben|tous droits réservés|publicité|lire la suite|laisser un commentaire|abonnez-vous à notre newsletter|\
todos los derechos reservados|publicidad|leer más|seguir leyendo|deja una respuesta|deja un comentario|\
suscríbete a nuestro boletín|todos os direitos reservados|publicidade|leia mais|deixe um comentário|deixe uma resposta|\
tutti i diritti riservati|pubblicità|leggi tutto|lascia un commento|alle rechten voorbehouden|advertentie|lees meer|\
geef een reactie|laat een reactie achter|wszelkie prawa zastrzeżone|reklama|czytaj więcej|czytaj dalej|\
dodaj komentarz|všechna práva vyhrazena|celý článek|napsat komentář|minden jog fenntartva|hirdetés|tovább olvasom|\
toate drepturile rezervate|citește mai mult|lasă un răspuns|tüm hakları saklıdır|devamını oku|bir yanıt yazın|\
hak cipta dilindungi|baca selengkapnya|baca juga|tinggalkan balasan|tinggalkan komentar|mọi quyền được bảo lưu|\
đọc thêm|xem thêm|để lại bình luận|alla rättigheter förbehållna|annons|läs mer|lämna ett svar|lämna en kommentar|\
kaikki oikeudet pidätetään|mainos|lue lisää|vastaa|alle rettigheter reservert|alle rettigheder forbeholdes|annonse|\
sva prava pridržana|все права защищены|реклама|читать далее|подробнее|добавить комментарий|оставить комментарий|\
усі права захищено|всі права захищені|читати далі|залишити коментар|додати коментар|всички права запазени|\
прочетете още|добавяне на коментар|сва права задржана|сите права се задржани|усе правы абаронены|\
με επιφύλαξη παντός δικαιώματος|διαβάστε περισσότερα|αφήστε μια απάντηση|כל הזכויות שמורות|קרא עוד|כתיבת תגובה|\
השארת תגובה|جميع الحقوق محفوظة|إعلان|اقرأ المزيد|اترك تعليقا|اترك ردا|اترك رد|تمامی حقوق محفوظ است|\
کلیه حقوق محفوظ است|تبلیغات|بیشتر بخوانید|ادامه مطلب|دیدگاهتان را بنویسید|پاسخی بگذارید|جملہ حقوق محفوظ ہیں|اشتہار|\
مزید پڑھیں|تبصرہ کریں|सर्वाधिकार सुरक्षित|विज्ञापन|और पढ़ें|एक टिप्पणी छोड़ें|टिप्पणी करें|सर्व हक्क राखीव|जाहिरात|\
সর্বস্বত্ব সংরক্ষিত|বিজ্ঞাপন|আরও পড়ুন|মন্তব্য করুন|ਸਾਰੇ ਹੱਕ ਰਾਖਵੇਂ ਹਨ|સર્વાધિકાર સુરક્ષિત|\
அனைத்து உரிமைகளும் பாதுகாக்கப்பட்டவை|விளம்பரம்|மேலும் படிக்க|ప్రకటన|ఇంకా చదవండి|ಜಾಹೀರಾತು|ಇನ್ನಷ್ಟು ಓದಿ|പരസ്യം|\
കൂടുതൽ വായിക്കുക|สงวนลิขสิทธิ์|โฆษณา|อ่านต่อ|อ่านเพิ่มเติม|แสดงความคิดเห็น|版权所有|广告|阅读更多|阅读全文|发表评论|\
發表評論|發佈留言|版權所有|廣告|閱讀更多|繼續閱讀|コメントを残す|続きを読む|広告|全著作権所有|無断転載禁止|\
무단 전재 및 재배포 금지|광고|더 보기|더 읽기|답글 남기기|댓글 남기기|모든 권리 보유|저작권 소유";

static LABEL_PRINTS: LazyLock<Prints> = LazyLock::new(|| prints(LABELS));
static TAIL_PRINTS: LazyLock<Prints> = LazyLock::new(|| prints(TAILS));
static SURE_PRINTS: LazyLock<Prints> = LazyLock::new(|| prints(SURE));

fn prints(phrases: &str) -> Prints {
    phrases.split('|').filter_map(fingerprint).collect::<Vec<u64>>().into()
}

/// A line no article has.
pub(super) fn is_sure(print: u64) -> bool {
    SURE_PRINTS.contains(print)
}

/// Whether the words before a colon name a category or tags.
pub(super) fn is_label(words: &str, _set: &BoilerplateSet) -> bool {
    fingerprint(words).is_some_and(|print| LABEL_PRINTS.contains(print))
}

/// Whether the words at the end of a frame are its tail.
pub(super) fn is_tail(words: &str, set: &BoilerplateSet) -> bool {
    fingerprint(words).is_some_and(|print| {
        TAIL_PRINTS.contains(print) || (words.split_whitespace().count() > 1 && set.contains(print))
    })
}

/// The length of a label that needs no colon.
pub(super) fn bare_label(line: &str) -> Option<usize> {
    BARE_LABELS.iter().find(|l| line.starts_with(*l) && line[l.len()..].starts_with(' ')).map(|l| l.len())
}

/// Vocabulary whose company gives a line away: word stems and how many different ones it takes.
struct Theme {
    stems: &'static [&'static str],
    needed: usize,
    /// Words in the line for each stem at most: prose about the subject is thinner.
    thinness: usize,
    /// The first stem must be among them.
    first_needed: bool,
    confidence: f64,
}

const THEMES: [Theme; 4] = [
    // keyboard help of a player
    Theme {
        stems: &[
            "space",
            "play",
            "pause",
            "mute",
            "arrow",
            "seek",
            "volume",
            "fullscreen",
            "keyboard",
            "press",
        ],
        needed: 4,
        thinness: 5,
        first_needed: false,
        confidence: 0.85,
    },
    Theme {
        stems: &[
            "facebook",
            "twitter",
            "whatsapp",
            "telegram",
            "linkedin",
            "pinterest",
            "reddit",
            "tumblr",
            "email",
            "mail",
            "instagram",
            "messenger",
            "viber",
            "skype",
            "vkontakte",
            "одноклассники",
            "вконтакте",
            "share",
            "teilen",
            "partager",
            "compartir",
            "compartilhar",
            "condividi",
            "delen",
            "udostępnij",
            "sdílet",
            "поделиться",
            "paylaş",
            "bagikan",
            "chia",
            "مشاركة",
            "شارك",
            "اشتراک",
            "शेयर",
            "分享",
            "シェア",
            "この記事をシェア",
            "ツイート",
            "lineで送",
            "はてな",
            "공유",
            "tweet",
            "print",
            "drucken",
            "imprimer",
            "imprimir",
            "stampa",
            "распечатать",
        ],
        needed: 3,
        thinness: 2,
        first_needed: false,
        confidence: 0.85,
    },
    Theme {
        stems: &[
            "cookie",
            "website",
            "site",
            "experience",
            "consent",
            "accept",
            "privacy",
            "policy",
            "browser",
            "zustimm",
            "webseite",
            "datenschutz",
            "expérience",
            "navigation",
            "experiencia",
            "sitio",
            "política",
            "esperienza",
            "continuing",
            "settings",
            "preferences",
            "analytics",
            "akzeptier",
            "einstellung",
            "accepter",
            "paramètres",
            "aceptar",
            "configuración",
            "aceitar",
            "accetta",
            "impostazioni",
            "accepteren",
            "instellingen",
        ],
        needed: 3,
        thinness: 7,
        first_needed: true,
        confidence: 0.85,
    },
    // the form under an article
    Theme {
        stems: &[
            "your",
            "email",
            "mail",
            "address",
            "published",
            "required",
            "fields",
            "marked",
            "comment",
            "website",
        ],
        needed: 5,
        thinness: 3,
        first_needed: false,
        confidence: 0.85,
    },
];

/// What a line's own words say about it; `lower` is a buffer to use.
pub(super) fn statistics(line: &str, lower: &mut String) -> Option<f64> {
    if line.len() > LONGEST {
        return None;
    }
    // a copyright line: the sign or the claim, a year, hardly a word more
    let words = line.split_whitespace().count();
    lower.clear();
    lower.reserve(LONGEST);
    for c in line.chars() {
        match crate::text::lower(c) {
            Some(c) => lower.push(c),
            None => lower.extend(c.to_lowercase()),
        }
    }
    if words <= 14 && is_copyright(lower) {
        return Some(0.85);
    }
    if words < 3 {
        return None;
    }
    let mut hits = [0u64; THEMES.len()];
    for word in lower.split(|c: char| !is_alphanumeric(c)) {
        let Some(key) = key(word) else { continue };
        let from = STEMS.partition_point(|stem| stem.key < key);
        for stem in STEMS[from..].iter().take_while(|stem| stem.key == key) {
            if word.starts_with(stem.text) {
                hits[stem.theme] |= 1 << stem.bit;
            }
        }
    }
    THEMES.iter().zip(hits).find_map(|(theme, hits)| {
        let n = hits.count_ones() as usize;
        let first = hits & 1 == 1 || !theme.first_needed;
        (n >= theme.needed && words <= n * theme.thinness && first).then_some(theme.confidence)
    })
}

/// Bytes of the longest line whose words are looked at.
const LONGEST: usize = 320;
/// Bytes of the shortest claim of rights.
const SHORTEST_CLAIM: usize = 12;

/// A stem of a theme, found by its first bytes.
struct Stem {
    key: [u8; 3],
    text: &'static str,
    theme: usize,
    bit: usize,
}

static STEMS: LazyLock<Vec<Stem>> = LazyLock::new(|| {
    let mut stems = Vec::new();
    for (theme, row) in THEMES.iter().enumerate() {
        let row = row.stems.iter().enumerate();
        stems.extend(row.filter_map(|(bit, text)| key(text).map(|key| Stem { key, text, theme, bit })));
    }
    stems.sort_by_key(|stem| stem.key);
    stems
});

fn key(word: &str) -> Option<[u8; 3]> {
    word.as_bytes().first_chunk().copied()
}

fn is_copyright(lower: &str) -> bool {
    // no claim is shorter, nor a sign with its year much
    if lower.len() < SHORTEST_CLAIM && !lower.contains('©') {
        return false;
    }
    let year = || {
        let bytes = lower.as_bytes();
        bytes
            .windows(4)
            .any(|w| matches!(w, [b'1', b'9', ..] | [b'2', b'0', ..]) && w.iter().all(u8::is_ascii_digit))
    };
    let claim = [
        "all rights reserved",
        "alle rechte vorbehalten",
        "tous droits réservés",
        "todos los derechos reservados",
        "todos os direitos reservados",
        "tutti i diritti riservati",
        "все права защищены",
        "جميع الحقوق محفوظة",
        "版权所有",
        "版權所有",
        "tüm hakları saklıdır",
        "wszelkie prawa zastrzeżone",
    ];
    claim.iter().any(|c| lower.contains(c))
        || ((lower.contains('©') || lower.contains("copyright")) && year())
}
