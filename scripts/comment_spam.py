#!/usr/bin/env python3
"""Writes comment and SEO spam of our own wording as JSONL: spintax over phrases in twelve languages.

  scripts/comment_spam.py --half train --count 300              for training
  scripts/comment_spam.py --half test --count 200               for scores: no phrase is in both halves
  scripts/comment_spam.py --half other --count 200              for scores: another author's phrases and readers
  ... --ham DIR --shape padded                                  200 words of real articles after the spam
  ... --ham DIR --shape salad                                   single words of articles strewn around it

The same arguments give the same bytes. DIR has <lang>.jsonl.gz files with a `text` per line. The phrases
and the generator are Apache-2.0, as the rest of this repository; domain names are made of syllables. The other
author (comment_spam_other.json) had seen neither these phrases nor what spam is told by.
"""

import argparse
import gzip
import json
import pathlib
import re
import sys

SOURCE = "glotsift_comment_spam"
OTHER = pathlib.Path(__file__).with_name("comment_spam_other.json")
THEMES = ("casino", "pharma", "loan", "crypto", "seo")
# Per language and half: openers, calls to action, then two phrases for each theme. @ stands for a link.
PHRASES = {
    "eng": {
        "train": (
            ["{Great|Awesome|Superb} {post|article|write-up}, thanks {a lot|so much}!", "Hello {dear|my friend}, I have {good|hot} news for you.", "I {really|truly} {like|love} your {blog|website}, keep it up."],
            ["{Click|Tap} here now: @", "{Visit|Check out} my {site|page} @ before it is {gone|too late}", "{Sign up|Register} today @ and {save|win} big"],
            ["{Best|Top} online casino with {free spins|a huge bonus} and {instant|fast} payouts", "play slots and roulette for real money, {100|200|300}% welcome bonus, no deposit"],
            ["buy cheap {viagra|cialis|levitra} online without prescription", "{discount|generic} pills shipped overnight, weight loss guaranteed"],
            ["get a personal loan in {5|10|15} minutes, bad credit OK", "{payday|instant} cash advance up to ${5,000|10,000}, no paperwork"],
            ["turn $250 into ${5,000|9,000} with our {bitcoin|crypto} trading robot", "double your {BTC|ethereum} today, guaranteed daily profit {3|5|10}%"],
            ["buy {5000|10000} backlinks and rank first on Google", "cheap SEO service, website traffic and {instagram|youtube} followers for sale"],
        ),
        "test": (
            ["What a {wonderful|remarkable} piece of content you have shared.", "Hey {guys|everyone}, you won't believe what I found!", "Very {useful|interesting} information, bookmarked your page."],
            ["More details at @", "Don't miss out, go to @ right away", "Claim yours here >>> @"],
            ["Win the jackpot at our poker and blackjack tables, your first bet is on us", "the most trusted sportsbook and betting site, get {50|80} free bets when you join"],
            ["lose {10|20} pounds in two weeks with this miracle supplement, doctors hate it", "online pharmacy: tramadol, xanax and antibiotics at the lowest price, no doctor needed"],
            ["need money fast? we lend to anyone, approval guaranteed, low interest rates", "consolidate all your debts and borrow up to {50,000|90,000} dollars without collateral"],
            ["passive income with bitcoin mining, invest once and earn every hour", "our signals channel made members {400|700}% this month, join the crypto pump group"],
            ["we will put your website on page one of search engines, high DA guest posts", "get unlimited targeted visitors and likes for your business, order link building packages"],
        ),
    },
    "cmn": {
        "train": (
            ["{文章|帖子}写得{真好|不错}，支持一下！", "{各位|亲爱的}朋友，{好消息|福利}来了。", "楼主{好人|辛苦了}，顶一个。"],
            ["{点击|打开}链接 @ 立即领取", "加{微信|QQ}{88231|66027|90415}咨询", "官网注册 @ 名额有限"],
            ["{澳门|皇冠}线上娱乐城，首存送{100|200}%，提款秒到账", "百家乐老虎机真人荷官，注册就送{88|188}元彩金"],
            ["正品{伟哥|壮阳药}低价直销，无需处方，隐私发货", "{7|10}天瘦{10|20}斤，减肥神药不反弹"],
            ["无抵押贷款，当天放款，黑户也能办", "{信用卡|网贷}套现，秒批{5万|20万}，利息最低"],
            ["比特币合约带单，日赚{3000|8000}，稳赚不赔", "投资虚拟币，{一个月|七天}翻倍，老师免费指导"],
            ["专业{SEO优化|网站排名}，百度首页快速上榜", "出售外链、刷粉丝、刷流量，价格便宜"],
        ),
        "test": (
            ["非常有价值的内容，收藏了慢慢看。", "大家快看，我刚发现一个赚钱的好地方！", "感谢分享，学到很多。"],
            ["详情请进 @", "马上联系客服领取大礼包 @", "扫码进群，机会不容错过 @"],
            ["体育投注平台，高赔率，新会员彩金免费送", "时时彩计划群，跟单包赢，大奖天天开"],
            ["代开药方，进口安眠药止痛药货到付款", "祖传秘方增高丰胸，三天见效，无效退款"],
            ["急用钱找我，凭身份证即可借款，额度高利率低", "专业代办大额信贷，不看征信，快速下款"],
            ["加密货币挖矿，躺着赚收益，每小时自动到账", "内部消息，这个币下周暴涨五倍，赶紧上车"],
            ["提供关键词霸屏服务，让您的网站排在搜索引擎前列", "批量出售公众号粉丝和店铺好评，下单即送"],
        ),
    },
    "spa": {
        "train": (
            ["{Excelente|Muy buen} {artículo|blog}, {gracias|felicidades} por compartir.", "Hola {amigo|a todos}, tengo {buenas noticias|una sorpresa}.", "Me {gusta|encanta} tu {página|sitio}, sigue así."],
            ["{Haz clic|Entra} aquí: @", "{Regístrate|Apúntate} hoy en @ y {gana|ahorra}", "Visita @ antes de que sea tarde"],
            ["{El mejor|Nuevo} casino en línea con {giros gratis|bono de bienvenida} del {100|200}%", "juega a las tragamonedas y a la ruleta con dinero real, pagos {rápidos|inmediatos}"],
            ["compra {viagra|cialis} barata sin receta, envío discreto", "pastillas para adelgazar, pierde {10|15} kilos en un mes"],
            ["préstamos personales en {10|15} minutos, sin aval ni papeleo", "dinero rápido hasta {5.000|20.000} euros aunque estés en ASNEF"],
            ["invierte 250 euros en {bitcoin|criptomonedas} y gana {5.000|8.000} al mes", "robot de trading automático, beneficios diarios garantizados"],
            ["compra {enlaces|backlinks} y posiciona tu web el primero en Google", "vendo seguidores de {Instagram|YouTube} y visitas baratas"],
        ),
        "test": (
            ["Qué información tan valiosa, la guardo en favoritos.", "¡Chicos, no van a creer lo que acabo de encontrar!", "Saludos desde mi ciudad, gran trabajo."],
            ["Más detalles en @", "No dejes pasar esta oportunidad, escribe ya a @", "Reclama tu regalo aquí >>> @"],
            ["Apuestas deportivas con las mejores cuotas, tu primera apuesta gratis", "llévate el premio gordo jugando al póker y al bingo desde casa"],
            ["farmacia online: antibióticos, somníferos y potenciadores a precio de fábrica", "el remedio milagroso que quema la grasa sin dieta, resultados en tres días"],
            ["¿necesitas efectivo urgente? concedemos crédito a cualquiera, interés bajo", "reunifica tus deudas y obtén hasta treinta mil euros sin nómina"],
            ["ingresos pasivos minando monedas digitales, cobra cada hora", "únete a nuestro canal de señales y multiplica tu capital esta semana"],
            ["posicionamiento web barato, primeras páginas de los buscadores en siete días", "aumenta el tráfico y los me gusta de tu negocio, paquetes desde cinco dólares"],
        ),
    },
    "hin": {
        "train": (
            ["{बहुत अच्छा|शानदार} {लेख|पोस्ट}, धन्यवाद!", "नमस्ते {दोस्तों|भाई}, आपके लिए {खुशखबरी|बड़ी खबर} है।", "आपका {ब्लॉग|पेज} मुझे बहुत पसंद आया।"],
            ["अभी {क्लिक|टैप} करें: @", "आज ही @ पर {रजिस्टर|साइन अप} करें", "व्हाट्सएप करें {98110|70425}00{123|456} या @ देखें"],
            ["ऑनलाइन कैसीनो खेलें, {100|200}% बोनस और मुफ्त स्पिन", "तीन पत्ती और रमी खेलकर रोज {5000|10000} रुपये जीतें"],
            ["बिना पर्चे के सस्ती {वियाग्रा|दवा} ऑनलाइन खरीदें", "{7|15} दिन में {5|10} किलो वजन घटाएं, गारंटी के साथ"],
            ["बिना गारंटी {पर्सनल|इंस्टेंट} लोन, {5|10} मिनट में खाते में पैसे", "कम ब्याज पर {2 लाख|5 लाख} तक का लोन, कोई कागज नहीं"],
            ["{बिटकॉइन|क्रिप्टो} में निवेश करें और पैसा दोगुना करें", "घर बैठे ट्रेडिंग से रोज {3000|8000} रुपये कमाएं"],
            ["गूगल पर पहला स्थान पाएं, सस्ती {SEO|बैकलिंक} सेवा", "{इंस्टाग्राम|यूट्यूब} फॉलोअर्स और व्यूज खरीदें"],
        ),
        "test": (
            ["बेहद उपयोगी जानकारी, मैंने इसे सहेज लिया है।", "सुनिए सब लोग, मुझे एक कमाल की चीज मिली!", "ऐसे ही लिखते रहिए, बहुत सीखने को मिला।"],
            ["पूरी जानकारी यहां: @", "यह मौका हाथ से न जाने दें, तुरंत संपर्क करें @", "अपना इनाम यहां से पाएं >>> @"],
            ["क्रिकेट सट्टा सबसे ऊंचे भाव पर, पहली बाजी हमारी तरफ से", "लॉटरी का जैकपॉट जीतिए, टिकट सिर्फ दस रुपये"],
            ["मर्दाना ताकत बढ़ाने का आयुर्वेदिक नुस्खा, तीन दिन में असर", "नींद और दर्द की गोलियां घर बैठे मंगाएं, डॉक्टर की जरूरत नहीं"],
            ["तुरंत पैसों की जरूरत है? खराब सिबिल पर भी उधार मिलेगा", "आधार कार्ड से एक लाख रुपये तक का कर्ज पाएं, आज ही मंजूरी"],
            ["डिजिटल सिक्कों की माइनिंग से हर घंटे आमदनी", "हमारे टेलीग्राम चैनल से जुड़ें और इस हफ्ते पूंजी पांच गुना करें"],
            ["आपकी वेबसाइट को सर्च इंजन के पहले पन्ने पर लाएंगे", "लाइक, सब्सक्राइबर और असली ट्रैफिक सबसे कम दाम में"],
        ),
    },
    "arb": {
        "train": (
            ["{مقال|موضوع} {رائع|ممتاز}، شكرا لك!", "مرحبا {صديقي|بالجميع}، عندي {خبر سار|عرض مميز} لكم.", "أعجبني {موقعك|مدونتك} كثيرا، استمر."],
            ["{اضغط|انقر} هنا الآن: @", "{سجل|اشترك} اليوم في @ واربح", "للتواصل واتساب 05{5512|3390}{77|41} أو @"],
            ["{أفضل|أكبر} كازينو أونلاين مع بونص {100|200}% ولفات مجانية", "العب الروليت والسلوتس بأموال حقيقية وسحب {فوري|سريع}"],
            ["اشتر {فياجرا|سياليس} رخيصة بدون وصفة طبية", "حبوب تخسيس، اخسر {10|15} كيلو في شهر مضمون"],
            ["قرض شخصي خلال {10|15} دقيقة بدون كفيل", "تسديد قروض واستخراج تمويل جديد حتى {100|300} ألف ريال"],
            ["استثمر في {البيتكوين|العملات الرقمية} وضاعف أموالك", "روبوت تداول يربح {500|900} دولار يوميا مضمون"],
            ["خدمات سيو رخيصة، تصدر نتائج {جوجل|البحث}", "بيع متابعين {انستقرام|تويتر} ومشاهدات بأرخص الأسعار"],
        ),
        "test": (
            ["معلومات قيمة جدا وسأحفظ الصفحة عندي.", "يا جماعة لن تصدقوا ماذا وجدت اليوم!", "بارك الله فيك على هذا الطرح الجميل."],
            ["التفاصيل كاملة على @", "لا تفوت الفرصة وراسلنا حالا @", "استلم هديتك من هنا >>> @"],
            ["مراهنات رياضية بأعلى الاحتمالات والرهان الأول علينا", "اربح الجائزة الكبرى في البوكر واليانصيب وأنت في بيتك"],
            ["صيدلية على الإنترنت: منومات ومقويات بسعر المصنع توصيل سري", "خلطة سحرية لحرق الدهون دون حمية والنتيجة بعد ثلاثة أيام"],
            ["محتاج سيولة بسرعة؟ نمول الجميع بفائدة منخفضة حتى المتعثرين", "نسدد عنك المديونيات ونعطيك خمسين ألفا دون تحويل راتب"],
            ["دخل ثابت من التعدين، أرباح تصلك كل ساعة", "انضم إلى قناة التوصيات وضاعف رأس مالك هذا الأسبوع"],
            ["نرفع موقعك إلى الصفحة الأولى في محركات البحث خلال أيام", "زيادة زوار ولايكات حقيقية لنشاطك التجاري بأقل تكلفة"],
        ),
    },
    "fra": {
        "train": (
            ["{Super|Excellent} {article|billet}, merci {beaucoup|pour le partage} !", "Bonjour {à tous|cher ami}, j'ai une {bonne nouvelle|offre} pour vous.", "J'{aime|adore} votre {blog|site}, continuez."],
            ["{Cliquez|Allez} ici : @", "{Inscrivez-vous|Rejoignez-nous} sur @ et {gagnez|économisez}", "Visitez @ avant qu'il ne soit trop tard"],
            ["{Le meilleur|Nouveau} casino en ligne avec {tours gratuits|bonus de bienvenue} de {100|200} %", "jouez aux machines à sous et à la roulette en argent réel, retraits {rapides|immédiats}"],
            ["achetez du {viagra|cialis} pas cher sans ordonnance", "pilules minceur, perdez {10|15} kilos en un mois garanti"],
            ["prêt personnel en {10|15} minutes, sans justificatif", "crédit rapide jusqu'à {5 000|20 000} euros même fiché banque de France"],
            ["investissez 250 euros dans le {bitcoin|crypto} et gagnez {5 000|8 000} par mois", "robot de trading automatique, profits quotidiens garantis"],
            ["achetez des {liens|backlinks} et soyez premier sur Google", "abonnés {Instagram|YouTube} et trafic pas cher"],
        ),
        "test": (
            ["Quelle mine d'informations, je garde la page en favoris.", "Les amis, vous n'allez pas croire ce que je viens de trouver !", "Un grand bravo, lecture très agréable."],
            ["Plus de détails sur @", "Ne ratez pas cette occasion, écrivez vite à @", "Réclamez votre cadeau ici >>> @"],
            ["Paris sportifs aux meilleures cotes, votre premier pari offert", "décrochez le gros lot au poker et au bingo depuis votre canapé"],
            ["pharmacie en ligne : somnifères et antibiotiques au prix d'usine, livraison discrète", "le remède miracle qui brûle les graisses sans régime, effets en trois jours"],
            ["besoin d'argent urgent ? nous finançons tout le monde à taux bas", "rachetez vos dettes et empruntez trente mille euros sans garant"],
            ["revenus passifs grâce au minage, touchez vos gains chaque heure", "rejoignez notre canal de signaux et multipliez votre capital cette semaine"],
            ["référencement à petit prix, première page des moteurs de recherche en sept jours", "boostez les visites et les j'aime de votre entreprise, forfaits dès cinq dollars"],
        ),
    },
    "por": {
        "train": (
            ["{Ótimo|Excelente} {artigo|post}, obrigado por {compartilhar|postar}!", "Olá {amigo|pessoal}, tenho uma {boa notícia|oferta} para vocês.", "{Gostei|Adorei} do seu {blog|site}, continue assim."],
            ["{Clique|Acesse} aqui: @", "{Cadastre-se|Inscreva-se} hoje em @ e {ganhe|economize}", "Chama no whatsapp 119{8841|7730}{20|55} ou @"],
            ["{Melhor|Novo} cassino online com {rodadas grátis|bônus} de {100|200}%", "jogue caça-níqueis e roleta com dinheiro real, saque {rápido|na hora} por pix"],
            ["compre {viagra|cialis} barato sem receita", "cápsulas para emagrecer, perca {10|15} quilos em um mês"],
            ["empréstimo pessoal em {10|15} minutos, mesmo negativado", "dinheiro rápido até {5.000|20.000} reais sem consulta ao SPC"],
            ["invista 250 reais em {bitcoin|cripto} e ganhe {5.000|8.000} por mês", "robô de trade automático, lucro diário garantido"],
            ["compre {links|backlinks} e fique em primeiro no Google", "vendo seguidores no {Instagram|YouTube} e visitas baratas"],
        ),
        "test": (
            ["Que conteúdo valioso, já salvei nos favoritos.", "Galera, vocês não vão acreditar no que eu achei!", "Parabéns pelo trabalho, aprendi bastante."],
            ["Mais detalhes em @", "Não perca essa chance, fale agora com @", "Resgate seu presente aqui >>> @"],
            ["Apostas esportivas com as melhores cotações, primeira aposta por nossa conta", "leve a bolada no pôquer e no bingo sem sair de casa"],
            ["farmácia virtual: calmantes e antibióticos a preço de fábrica, entrega discreta", "o remédio milagroso que queima gordura sem dieta, efeito em três dias"],
            ["precisa de grana urgente? liberamos crédito para todos com juros baixos", "quite suas dívidas e receba trinta mil sem fiador"],
            ["renda passiva com mineração, receba a cada hora", "entre no nosso canal de sinais e multiplique seu capital esta semana"],
            ["colocamos sua página no topo dos buscadores em sete dias", "aumente as curtidas e o tráfego do seu negócio, pacotes a partir de cinco dólares"],
        ),
    },
    "rus": {
        "train": (
            ["{Отличная|Классная} {статья|запись}, спасибо!", "Привет {друзья|всем}, есть {хорошая новость|предложение}.", "Мне {понравился|нравится} ваш {сайт|блог}, так держать."],
            ["{Жми|Переходи} по ссылке: @", "{Регистрируйся|Заходи} на @ и {выигрывай|экономь}", "Пишите в личку или на @"],
            ["{Лучшее|Новое} онлайн казино, {фриспины|бонус} {100|200}% за регистрацию", "играй в слоты и рулетку на деньги, {быстрый|мгновенный} вывод на карту"],
            ["купить {виагру|сиалис} дешево без рецепта", "таблетки для похудения, минус {10|15} кг за месяц гарантированно"],
            ["займ на карту за {5|10} минут без отказа", "кредит до {300|500} тысяч с плохой кредитной историей"],
            ["вложи 250 долларов в {биткоин|крипту} и получай {5000|8000} в месяц", "торговый робот, гарантированная прибыль каждый день"],
            ["купить {вечные ссылки|обратные ссылки} и выйти в топ Google", "накрутка подписчиков {Инстаграм|Ютуб} и трафика недорого"],
        ),
        "test": (
            ["Очень ценный материал, добавил страницу в закладки.", "Ребята, вы не поверите, что я сегодня нашёл!", "Благодарю автора, узнал много нового."],
            ["Подробности тут @", "Не упустите шанс, напишите прямо сейчас @", "Забери подарок здесь >>> @"],
            ["Ставки на спорт с высокими коэффициентами, первая ставка за наш счёт", "сорви джекпот в покер и лотерею не выходя из дома"],
            ["интернет-аптека: снотворное и антибиотики по цене завода, анонимная доставка", "чудо-средство сжигает жир без диет, эффект за три дня"],
            ["срочно нужны деньги? кредитуем всех под низкий процент", "закроем ваши долги и выдадим полмиллиона без справок и поручителей"],
            ["пассивный доход на майнинге, выплаты каждый час", "вступай в канал с сигналами и умножь капитал за неделю"],
            ["выведем ваш сайт на первую страницу поисковиков за семь дней", "лайки, просмотры и живые посетители для бизнеса по низкой цене"],
        ),
    },
    "deu": {
        "train": (
            ["{Toller|Super} {Artikel|Beitrag}, danke {dafür|fürs Teilen}!", "Hallo {Freunde|zusammen}, ich habe {gute Nachrichten|ein Angebot} für euch.", "Mir {gefällt|gefällt sehr} deine {Seite|Homepage}, weiter so."],
            ["Hier {klicken|anmelden}: @", "Heute auf @ {registrieren|anmelden} und {gewinnen|sparen}", "Besuche @ bevor es zu spät ist"],
            ["{Bestes|Neues} Online-Casino mit {Freispielen|Willkommensbonus} von {100|200} %", "Spielautomaten und Roulette um echtes Geld, {schnelle|sofortige} Auszahlung"],
            ["{Viagra|Cialis} billig ohne Rezept kaufen", "Abnehmpillen, {10|15} Kilo in einem Monat weniger, garantiert"],
            ["Privatkredit in {10|15} Minuten, ohne Schufa", "Sofortkredit bis {5.000|20.000} Euro trotz negativer Bonität"],
            ["250 Euro in {Bitcoin|Krypto} anlegen und {5.000|8.000} im Monat verdienen", "automatischer Trading-Roboter, garantierter täglicher Gewinn"],
            ["{Backlinks|Links} kaufen und bei Google auf Platz eins stehen", "{Instagram|YouTube}-Follower und Besucher günstig"],
        ),
        "test": (
            ["Sehr wertvolle Informationen, die Seite ist schon gespeichert.", "Leute, ihr glaubt nicht, was ich gerade entdeckt habe!", "Großes Lob an den Verfasser, viel gelernt."],
            ["Mehr dazu unter @", "Diese Gelegenheit nicht verpassen, gleich schreiben an @", "Geschenk hier abholen >>> @"],
            ["Sportwetten mit den höchsten Quoten, die erste Wette geht auf uns", "den Jackpot beim Poker und Bingo bequem von zu Hause knacken"],
            ["Versandapotheke: Schlafmittel und Antibiotika zum Fabrikpreis, diskrete Lieferung", "das Wundermittel verbrennt Fett ganz ohne Diät, Wirkung nach drei Tagen"],
            ["dringend Geld nötig? wir finanzieren jeden zu niedrigen Zinsen", "Schulden ablösen und dreißigtausend ohne Bürgen bekommen"],
            ["passives Einkommen durch Mining, stündliche Auszahlung", "tritt unserem Signalkanal bei und vervielfache dein Kapital diese Woche"],
            ["wir bringen Ihre Webseite in sieben Tagen ganz nach oben in den Suchmaschinen", "mehr Likes und echte Besucher für Ihr Unternehmen, Pakete ab fünf Dollar"],
        ),
    },
    "jpn": {
        "train": (
            ["{素晴らしい|とても良い}{記事|ブログ}ですね、ありがとうございます！", "皆さんに{朗報|お得な情報}があります。", "いつも{楽しく|興味深く}読んでいます。"],
            ["今すぐ{クリック|登録}: @", "{LINE|ライン}で友だち追加 @ 先着{100|50}名様", "公式サイト @ はこちら"],
            ["{人気|最新}オンラインカジノ、入金ボーナス{100|200}%、{フリースピン|無料チップ}進呈", "スロットとルーレットで稼ぐ、出金{即日|最速}"],
            ["{バイアグラ|シアリス}を処方箋なしで激安通販", "飲むだけで{10|15}キロ痩せるダイエットサプリ"],
            ["審査なしで即日融資、ブラックでも{OK|可能}", "スマホだけで最大{50|100}万円キャッシング"],
            ["{ビットコイン|仮想通貨}の自動売買で月収{50|100}万円", "誰でも簡単に稼げる副業、毎日{3|5}万円保証"],
            ["{被リンク|SEO対策}を格安販売、検索一位を獲得", "{インスタ|YouTube}のフォロワーを購入できます"],
        ),
        "test": (
            ["大変参考になりました、ブックマークしておきます。", "みんな聞いて、すごいものを見つけちゃった！", "更新を楽しみにしています。"],
            ["詳しくは @ まで", "このチャンスを逃さないで、すぐに連絡を @", "プレゼントの受け取りはここ >>> @"],
            ["スポーツ賭けなら高オッズの当サイト、最初の賭け金は無料", "自宅でポーカーと宝くじの大当たりを狙おう"],
            ["個人輸入の薬局、睡眠薬や精力剤を工場価格でお届け", "食事制限なしで脂肪が燃える奇跡の薬、三日で効果を実感"],
            ["急にお金が必要な方、低金利でどなたにもお貸しします", "借金を一本化、保証人不要で三百万円まで"],
            ["マイニングで不労所得、一時間ごとに報酬が入る", "シグナル配信グループに参加して今週中に資金を五倍に"],
            ["あなたのホームページを七日で検索結果の先頭に表示させます", "いいねとアクセスを増やすなら激安パックをどうぞ"],
        ),
    },
    "ind": {
        "train": (
            ["{Artikel|Postingan} yang {bagus|keren}, terima kasih!", "Halo {teman|semua}, ada {kabar gembira|promo} untuk kalian.", "Saya {suka|senang} {blog|situs} Anda, teruskan."],
            ["{Klik|Buka} di sini: @", "{Daftar|Gabung} sekarang di @ dan {menang|hemat}", "Hubungi WA 08{1277|5590}{30|81}44 atau @"],
            ["{Situs|Agen} slot gacor, bonus new member {100|200}%, {freespin|saldo} gratis", "main slot dan roulette uang asli, withdraw {cepat|langsung cair}"],
            ["jual {viagra|cialis} murah tanpa resep", "obat pelangsing, turun {10|15} kg dalam sebulan dijamin"],
            ["pinjaman online cair {5|10} menit tanpa jaminan", "dana tunai sampai {50|100} juta walau BI checking jelek"],
            ["investasi {bitcoin|kripto} modal {250|500} ribu untung jutaan per bulan", "robot trading otomatis, profit harian pasti"],
            ["jual {backlink|tautan} murah, website nomor satu di Google", "tambah followers {Instagram|YouTube} dan trafik murah"],
        ),
        "test": (
            ["Informasinya sangat berharga, halaman ini sudah saya simpan.", "Kawan-kawan, kalian tidak akan percaya apa yang saya temukan!", "Salam kenal, tulisannya mudah dipahami."],
            ["Selengkapnya di @", "Jangan lewatkan kesempatan ini, chat segera @", "Ambil hadiahmu di sini >>> @"],
            ["Taruhan bola dengan odds tertinggi, taruhan pertama kami bayari", "raih jackpot poker dan togel dari rumah saja"],
            ["apotek online: obat tidur dan antibiotik harga pabrik, kiriman rahasia", "ramuan ajaib pembakar lemak tanpa diet, terasa dalam tiga hari"],
            ["butuh uang mendesak? kami beri kredit kepada siapa saja bunga rendah", "lunasi utang Anda dan terima tiga puluh juta tanpa penjamin"],
            ["penghasilan pasif dari mining, dibayar tiap jam", "masuk grup sinyal kami dan lipat gandakan modal minggu ini"],
            ["kami naikkan laman Anda ke halaman pertama mesin pencari dalam tujuh hari", "perbanyak like dan pengunjung usaha Anda, paket mulai lima dolar"],
        ),
    },
    "tur": {
        "train": (
            ["{Harika|Çok güzel} bir {yazı|makale}, teşekkürler!", "Merhaba {arkadaşlar|dostlar}, size {iyi bir haberim|bir teklifim} var.", "{Sitenizi|Blogunuzu} çok {beğendim|sevdim}, devam edin."],
            ["Hemen {tıkla|gir}: @", "Bugün @ adresine {üye ol|kayıt ol} ve {kazan|tasarruf et}", "Geç kalmadan @ sitesini ziyaret edin"],
            ["{En iyi|Yeni} online casino, %{100|200} {hoş geldin bonusu|bedava dönüş}", "gerçek parayla slot ve rulet oyna, {hızlı|anında} çekim"],
            ["reçetesiz ucuz {viagra|cialis} satın al", "zayıflama hapı, bir ayda {10|15} kilo ver, garantili"],
            ["{5|10} dakikada kefilsiz ihtiyaç kredisi", "kara listede olana bile {50|100} bin TL nakit"],
            ["{bitcoin|kripto} yatırımıyla 250 dolardan ayda {5000|8000} kazan", "otomatik trade robotu, her gün garantili kâr"],
            ["{backlink|bağlantı} satın al, Google'da ilk sıraya çık", "ucuz {Instagram|YouTube} takipçisi ve hit satışı"],
        ),
        "test": (
            ["Çok değerli bilgiler, sayfayı sık kullanılanlara ekledim.", "Millet, ne bulduğuma inanamayacaksınız!", "Emeğinize sağlık, çok şey öğrendim."],
            ["Ayrıntılar için @", "Bu fırsatı kaçırmayın, hemen yazın @", "Hediyeni buradan al >>> @"],
            ["Yüksek oranlı spor bahisleri, ilk bahsin bizden", "evden çıkmadan poker ve tombalada büyük ikramiyeyi kap"],
            ["internet eczanesi: uyku ilacı ve antibiyotik fabrika fiyatına, gizli kargo", "diyetsiz yağ yakan mucize karışım, üç günde etkisini gör"],
            ["acil nakit mi lazım? düşük faizle herkese borç veriyoruz", "borçlarınızı kapatalım, senetsiz otuz bin lira verelim"],
            ["madencilikle pasif gelir, ödemeler saat başı", "sinyal grubumuza katıl, sermayeni bu hafta katla"],
            ["web sayfanızı yedi günde arama motorlarının en üstüne taşıyoruz", "işletmeniz için beğeni ve gerçek ziyaretçi, beş dolardan başlayan paketler"],
        ),
    },
}
# What decent readers write: ham, so that thanks and a link alone are no spam.
REMARKS = {
    "eng": {
        "train": ["I {disagree|do not agree} with the second paragraph, the figures are from last year.", "My {brother|sister} works at that hospital and says the same.", "Does anyone know when the road will open again?", "The source is here: @ and it is worth reading in full."],
        "test": ["The photograph shows the old bridge, not the new one.", "Could the author explain how the vote was counted?", "There is a longer report on this at @ for those interested."],
    },
    "cmn": {
        "train": ["第二段的数据是{去年|前年}的，我不太同意。", "我{哥哥|姐姐}在那家医院上班，也这么说。", "有人知道那条路什么时候通车吗？", "原文在这里 @ ，值得一读。"],
        "test": ["照片里是旧桥，不是新桥。", "请问作者票数是怎么统计的？", "有兴趣的可以看看这篇更长的报道 @"],
    },
    "spa": {
        "train": ["No estoy de acuerdo con el segundo párrafo, los datos son del año {pasado|anterior}.", "Mi {hermano|hermana} trabaja en ese hospital y dice lo mismo.", "¿Alguien sabe cuándo vuelven a abrir la carretera?", "La fuente está aquí: @ y merece la pena leerla entera."],
        "test": ["La foto es del puente viejo, no del nuevo.", "¿Podría explicar el autor cómo se contaron los votos?", "Hay un reportaje más largo en @ para quien quiera."],
    },
    "hin": {
        "train": ["दूसरे पैराग्राफ से मैं सहमत नहीं, आंकड़े {पिछले साल|पुराने} के हैं।", "मेरा {भाई|दोस्त} उसी अस्पताल में काम करता है और यही कहता है।", "किसी को पता है सड़क कब खुलेगी?", "मूल खबर यहां है: @ पूरी पढ़ने लायक है।"],
        "test": ["तस्वीर पुराने पुल की है, नए की नहीं।", "लेखक बताएं कि वोट कैसे गिने गए?", "इस पर लंबी रिपोर्ट @ पर है।"],
    },
    "arb": {
        "train": ["لا أتفق مع الفقرة الثانية، فالأرقام من العام {الماضي|السابق}.", "{أخي|أختي} يعمل في ذلك المستشفى ويقول الشيء نفسه.", "هل يعرف أحد متى يفتح الطريق من جديد؟", "المصدر هنا: @ ويستحق القراءة كاملا."],
        "test": ["الصورة للجسر القديم وليست للجديد.", "هل يشرح الكاتب كيف جرى عد الأصوات؟", "هناك تقرير أطول في @ لمن يهتم."],
    },
    "fra": {
        "train": ["Je ne suis pas d'accord avec le deuxième paragraphe, les chiffres datent de l'an {dernier|passé}.", "{Mon frère|Ma sœur} travaille dans cet hôpital et dit la même chose.", "Quelqu'un sait quand la route rouvrira ?", "La source est ici : @ et mérite d'être lue en entier."],
        "test": ["La photo montre l'ancien pont, pas le nouveau.", "L'auteur peut-il expliquer comment les voix ont été comptées ?", "Il y a un reportage plus long sur @ pour les curieux."],
    },
    "por": {
        "train": ["Não concordo com o segundo parágrafo, os números são do ano {passado|anterior}.", "{Meu irmão|Minha irmã} trabalha nesse hospital e diz o mesmo.", "Alguém sabe quando a estrada vai reabrir?", "A fonte está aqui: @ e vale a leitura completa."],
        "test": ["A foto é da ponte antiga, não da nova.", "O autor poderia explicar como os votos foram contados?", "Há uma reportagem mais longa em @ para quem quiser."],
    },
    "rus": {
        "train": ["Со вторым абзацем не согласен, цифры {прошлогодние|старые}.", "{Мой брат|Моя сестра} работает в этой больнице и говорит то же самое.", "Кто-нибудь знает, когда откроют дорогу?", "Источник здесь: @ его стоит прочесть целиком."],
        "test": ["На фотографии старый мост, а не новый.", "Может ли автор объяснить, как считали голоса?", "Подробный репортаж есть на @ для тех, кому интересно."],
    },
    "deu": {
        "train": ["Dem zweiten Absatz stimme ich nicht zu, die Zahlen sind vom {letzten|vorigen} Jahr.", "{Mein Bruder|Meine Schwester} arbeitet in diesem Krankenhaus und sagt dasselbe.", "Weiß jemand, wann die Straße wieder öffnet?", "Die Quelle steht hier: @ und ist ganz zu lesen wert."],
        "test": ["Das Foto zeigt die alte Brücke, nicht die neue.", "Kann der Autor erklären, wie die Stimmen gezählt wurden?", "Einen längeren Bericht gibt es auf @ für Interessierte."],
    },
    "jpn": {
        "train": ["二段落目には同意できません、数字は{去年|昔}のものです。", "{兄|姉}がその病院で働いていて、同じことを言っています。", "道路がいつ再開するか誰か知っていますか？", "出典はこちらです @ 全文を読む価値があります。"],
        "test": ["写真は新しい橋ではなく古い橋です。", "票の数え方を筆者に説明してほしいです。", "もっと長い記事が @ にあります。"],
    },
    "ind": {
        "train": ["Saya tidak setuju dengan paragraf kedua, angkanya dari tahun {lalu|sebelumnya}.", "{Kakak|Adik} saya bekerja di rumah sakit itu dan berkata sama.", "Ada yang tahu kapan jalannya dibuka lagi?", "Sumbernya di sini: @ dan layak dibaca sampai selesai."],
        "test": ["Fotonya jembatan lama, bukan yang baru.", "Bisakah penulis menjelaskan cara suara dihitung?", "Ada laporan lebih panjang di @ bagi yang berminat."],
    },
    "tur": {
        "train": ["İkinci paragrafa katılmıyorum, rakamlar {geçen|önceki} yıla ait.", "{Ağabeyim|Ablam} o hastanede çalışıyor, aynısını söylüyor.", "Yolun ne zaman açılacağını bilen var mı?", "Kaynak burada: @ tamamını okumaya değer."],
        "test": ["Fotoğraftaki eski köprü, yenisi değil.", "Yazar oyların nasıl sayıldığını açıklayabilir mi?", "Merak edenler için @ adresinde daha uzun bir haber var."],
    },
}
# What such pages are stuffed with, theme by theme; training half only.
KEYWORDS = {
    "eng": "casino bonus, free spins, jackpot, sports betting, poker, blackjack, lottery winner, best odds, bookmaker; online pharmacy, no prescription, weight loss, fat burner, supplements, sleeping pills, antibiotics; fast loan, bad credit, debt relief, low interest, mortgage, cash advance, approved instantly; bitcoin, crypto signals, mining, passive income, forex, investment, daily profit, earn money at home; backlinks, page rank, targeted traffic, followers, likes, web hosting, guest post, SEO expert",
    "cmn": "娱乐城, 彩金, 赌博, 棋牌, 时时彩, 体育博彩, 下注, 赔率, 老虎机, 六合彩, 彩票计划; 减肥药, 壮阳, 丰胸, 增高, 安眠药, 止痛药, 祖传秘方, 无需处方, 货到付款; 贷款, 借款, 放款, 信用卡, 不看征信, 低利率, 急用钱, 身份证, 代办; 比特币, 挖矿, 收益, 翻倍, 加密货币, 投资, 暴涨, 内幕消息, 赚钱, 兼职; 外链, 排名, 关键词, 霸屏, 搜索引擎, 粉丝, 好评, 网站推广, 引流",
    "spa": "casino, apuestas, cuotas, tragamonedas, ruleta, póker, bingo, lotería, premio, premio gordo, apuesta gratis; farmacia, sin receta, adelgazar, quemar grasa, pastillas, antibióticos, somníferos, remedio, milagroso; préstamo, crédito, dinero urgente, efectivo, deudas, interés bajo, sin nómina, sin aval; bitcoin, criptomonedas, minería, ingresos pasivos, señales, ganancias, multiplica, inversión, gane dinero desde casa; posicionamiento, buscadores, tráfico, seguidores, me gusta, enlaces, visitas, oferta, gratis, regalo",
    "hin": "कैसीनो, सट्टा, जुआ, लॉटरी, जैकपॉट, बोनस, दांव, पोकर, रमी, इनाम, मुफ्त टिकट; दवा, गोलियां, नुस्खा, मर्दाना ताकत, वजन घटाएं, मोटापा, आयुर्वेदिक, बिना डॉक्टर; लोन, कर्ज, उधार, ब्याज, तुरंत पैसा, आधार कार्ड, बिना गारंटी, मंजूरी; बिटकॉइन, क्रिप्टो, माइनिंग, निवेश, मुनाफा, कमाई, पैसा दोगुना, घर बैठे, टेलीग्राम चैनल; गूगल, सर्च इंजन, वेबसाइट, ट्रैफिक, फॉलोअर्स, लाइक, सब्सक्राइबर, सस्ते दाम, ऑफर",
    "arb": "كازينو, مراهنات, رهان, يانصيب, جائزة, الجائزة الكبرى, بوكر, روليت, بونص, رهان مجاني; صيدلية, بدون وصفة, تخسيس, حرق الدهون, منشطات, مقويات, حبوب, خلطة; قرض, تمويل, سيولة, مديونيات, سداد, فائدة منخفضة, بدون كفيل, تحويل راتب; بيتكوين, عملات رقمية, تعدين, أرباح, دخل ثابت, توصيات, استثمار, ضاعف, اربح من البيت; سيو, محركات البحث, زوار, متابعين, لايكات, مشاهدات, عرض, مجانا, هدية",
    "fra": "casino, paris sportifs, cotes, machines à sous, roulette, poker, bingo, loterie, gros lot, pari offert; pharmacie, sans ordonnance, maigrir, brûle les graisses, pilules, somnifères, antibiotiques, remède miracle; prêt, crédit, argent urgent, rachat de dettes, taux bas, sans garant, sans justificatif; bitcoin, cryptomonnaie, minage, revenus passifs, signaux, gains, multipliez, investissement, gagner de l'argent; référencement, moteurs de recherche, trafic, abonnés, j'aime, liens, visites, offre, gratuit, cadeau",
    "por": "cassino, apostas, cotações, caça-níqueis, roleta, pôquer, bingo, loteria, prêmio, bolada, aposta grátis; farmácia, sem receita, emagrecer, queima gordura, cápsulas, calmantes, antibióticos, remédio milagroso; empréstimo, crédito, dinheiro urgente, dívidas, juros baixos, sem fiador, negativado; bitcoin, criptomoedas, mineração, renda passiva, sinais, lucro, multiplique, investimento, ganhe dinheiro em casa; buscadores, tráfego, seguidores, curtidas, links, visitas, oferta, grátis, presente, promoção",
    "rus": "казино, ставки на спорт, коэффициенты, слоты, рулетка, покер, лотерея, выигрыш, джекпот, бесплатная ставка; аптека, без рецепта, похудение, сжигает жир, таблетки, снотворное, антибиотики, чудо-средство; займ, кредит, деньги срочно, долги, низкий процент, без поручителей, без справок; биткоин, криптовалюта, майнинг, пассивный доход, сигналы, прибыль, умножь, инвестиции, заработок дома; продвижение сайта, поисковики, трафик, подписчики, лайки, ссылки, просмотры, скидка, бесплатно, подарок",
    "deu": "Casino, Sportwetten, Quoten, Spielautomaten, Roulette, Poker, Bingo, Lotto, Jackpot, Gratiswette; Apotheke, ohne Rezept, abnehmen, Fett verbrennen, Pillen, Schlafmittel, Antibiotika, Wundermittel; Kredit, Darlehen, Geld sofort, Schulden, niedrige Zinsen, ohne Bürgen, ohne Schufa; Bitcoin, Kryptowährung, Mining, passives Einkommen, Signale, Gewinn, vervielfachen, Geldanlage, von zu Hause verdienen; Suchmaschinen, Besucher, Follower, Likes, Links, Webseite, Angebot, gratis, Geschenk, Pakete",
    "jpn": "カジノ, スポーツ賭博, オッズ, 賭け金, スロット, ルーレット, ポーカー, 宝くじ, 大当たり, 無料ベット; 薬局, 個人輸入, 処方箋不要, ダイエット, 脂肪燃焼, 睡眠薬, 精力剤, 奇跡の薬; 融資, 借金, お金が必要, 低金利, 保証人不要, 審査なし, キャッシング; ビットコイン, 仮想通貨, マイニング, 不労所得, シグナル配信, 報酬, 資金を増やす, 投資, 副業, 稼ぐ; 検索結果, 上位表示, アクセス, フォロワー, いいね, 被リンク, 激安, 無料, プレゼント, 限定",
    "ind": "kasino, taruhan bola, odds, slot, roulette, poker, togel, lotre, jackpot, taruhan gratis; apotek, tanpa resep, pelangsing, pembakar lemak, pil, obat tidur, antibiotik, ramuan ajaib; pinjaman, kredit, uang mendesak, utang, bunga rendah, tanpa penjamin, tanpa jaminan; bitcoin, kripto, mining, penghasilan pasif, sinyal, untung, lipat gandakan, investasi, kerja dari rumah; mesin pencari, trafik, followers, like, backlink, pengunjung, promo, gratis, hadiah, paket murah",
    "tur": "casino, bahis, spor bahisleri, oran, slot, rulet, poker, tombala, piyango, büyük ikramiye, bedava bahis; eczane, reçetesiz, zayıflama, yağ yakan, hap, uyku ilacı, antibiyotik, mucize karışım; kredi, borç, acil nakit, düşük faiz, kefilsiz, senetsiz, ihtiyaç kredisi; bitcoin, kripto, madencilik, pasif gelir, sinyal, kâr, katla, yatırım, evden para kazan; arama motoru, takipçi, beğeni, ziyaretçi, bağlantı, hit, kampanya, ücretsiz, hediye, ucuz paket",
}
SYLLABLES = "ba be bo ca co da de di fa fi go ka ki la le lo lu ma me mi na ne no pa po ra re ri ro sa so ta te ti to va vi vo xi zu".split()
ENDINGS = "com com com net org info online site top xyz shop club biz co me".split()


class Random:
    """Lehmer's generator with Park and Miller's multiplier: the same numbers on every Python."""

    def __init__(self, seed):
        self.state = seed % 2147483646 + 1

    def below(self, n):
        self.state = self.state * 48271 % 2147483647
        return self.state % n

    def pick(self, options):
        return options[self.below(len(options))]


def spin(template, random):
    """`{a|b}` becomes a or b."""
    return re.sub(r"\{([^{}]*)\}", lambda found: random.pick(found.group(1).split("|")), template)


def link(random):
    name = "".join(random.pick(SYLLABLES) for _ in range(2 + random.below(4)))
    if random.below(4) == 0:
        name += "-" + "".join(random.pick(SYLLABLES) for _ in range(2)) + str(random.below(900))
    host = f"{name}.{random.pick(ENDINGS)}"
    start = random.pick(["http://", "https://", "https://", "www.", "http://www.", ""])
    path = random.pick(["", "", "/", "/" + random.pick(SYLLABLES) + str(random.below(10000)), "/?ref=" + str(random.below(999))])
    return start + host + path


def linked(text, random):
    parts = text.split("@")
    return "".join(part + (link(random) if i + 1 < len(parts) else "") for i, part in enumerate(parts))


def wrapped(text, anchor, random):
    """A link as comment forms take it: HTML, BBCode, Markdown or bare."""
    url = link(random)
    forms = [f"<a href=\"{url}\">{anchor}</a>", f"[url={url}]{anchor}[/url]", f"[{anchor}]({url})", f"{anchor} {url}"]
    return text + " " + random.pick(forms)


def spam(phrases, keywords, random):
    """A comment, an advertisement or a link farm; themes do not mix but in the last."""
    openers, calls, *themes = phrases
    theme = random.pick(themes)
    kind = random.below(10)
    if keywords and random.below(3) == 0:
        pool = [word.strip() for word in random.pick(keywords.split(";")).split(",")]
        stuffed = ", ".join(random.pick(pool) for _ in range(4 + random.below(6)))
        parts = [random.pick(openers) if random.below(3) == 0 else "", stuffed, random.pick(calls)]
    elif kind < 4:
        parts = [random.pick(openers), random.pick(theme) + ".", random.pick(calls)][: 2 + (random.below(6) > 0)]
    elif kind < 7:
        parts = [random.pick(theme) + "!" * (1 + random.below(3)), random.pick(calls)]
    elif kind < 9:
        first, second = theme if len(theme) == 2 else (random.pick(theme[:2]), random.pick(theme[2:]))
        parts = [random.pick(openers) if random.below(2) else "", first + ".", second + ".", random.pick(calls)]
    else:
        parts = [wrapped("", random.pick(random.pick(themes)), random).strip() for _ in range(3 + random.below(4))]
    text = " ".join(part for part in (linked(spin(part, random), random) for part in parts) if part)
    if random.below(8) == 0:
        text = text.upper()
    if random.below(6) == 0:
        text = random.pick(["🔥", "💰", "✅", "👉", "🎁"]) * (1 + random.below(3)) + " " + text
    return text


def ham(openers, remarks, random):
    """A reader's comment, at times with a link."""
    parts = [random.pick(openers) if random.below(2) else "", random.pick(remarks)]
    parts.append(random.pick(remarks) if random.below(2) else "")
    return " ".join(linked(spin(part, random), random) for part in parts if part)


def words_of(folder, lang):
    """Words of articles; where words are not spaced, pieces of two characters."""
    for name in (lang, {"cmn": "zho"}.get(lang, lang)):
        path = folder / f"{name}.jsonl.gz"
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                text = " ".join(json.loads(line)["text"] for _, line in zip(range(3000), lines))
            if lang in ("cmn", "jpn"):
                return [text[i : i + 2] for i in range(0, len(text), 2)], ""
            return text.split(), " "
    sys.exit(f"error: {folder} has no articles in {lang}")


def shaped(text, shape, words, random):
    pieces, gap = words
    if shape == "padded":
        start = random.below(max(len(pieces) - 200, 1))
        return text + "\n" + gap.join(pieces[start : start + 200])
    before, after = ([random.pick(pieces) for _ in range(30)] for _ in range(2))
    return gap.join(before) + " " + text + " " + gap.join(after)


def row(text, label, lang):
    whole = {"text": text, "label": label, "lang": lang, "source": SOURCE, "kind": "synthetic"}
    return json.dumps(whole, ensure_ascii=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=("train", "test", "other"), required=True)
    parser.add_argument("--count", type=int, default=300, help="texts per language")
    parser.add_argument("--seed", type=int, default=20240601)
    parser.add_argument("--shape", choices=("plain", "padded", "salad"), default="plain")
    parser.add_argument("--ham", type=pathlib.Path, help="articles to pad with")
    args = parser.parse_args()
    if args.shape != "plain" and not args.ham:
        parser.error(f"--shape {args.shape} needs --ham")
    others = json.loads(OTHER.read_text(encoding="utf-8")) if args.half == "other" else {}
    for number, (lang, halves) in enumerate(sorted(PHRASES.items())):
        words = words_of(args.ham, lang) if args.shape != "plain" else None
        # Words and spam are drawn apart: the same spam stands in every shape.
        random, noise = (Random(args.seed + 1000 * number + (args.half == "test") * 77 + k) for k in (0, 500))
        phrases = halves.get(args.half) or [others[lang][part] for part in ("openers", "calls")] + others[lang]["themes"]
        for _ in range(args.count):
            text = spam(phrases, KEYWORDS[lang] if args.half == "train" else "", random)
            if words:
                text = shaped(text, args.shape, words, noise)
            print(row(text, "spam", lang))
        for reader in others[lang]["readers"] if others and not words else ():
            print(row(reader, "ham", lang))
        for _ in range(args.count // 3 if not words and not others else 0):
            print(row(ham(halves[args.half][0], REMARKS[lang][args.half], random), "ham", lang))


if __name__ == "__main__":
    main()
