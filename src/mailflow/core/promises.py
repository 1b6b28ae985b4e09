"""What would be a promise in an answer, by language: approval, a price, a date (D3). Tables of regular expressions.

Rule: rather one sentence too many is refused than one promise sent; a template can always be reworded.
"""

import re

APPROVAL = "a promise of eligibility or approval (D3)"
AMOUNT = "an amount, a price or a discount (D3)"
TIME = "a time by which something happens (D3)"

_WORDS = {
    "en": {
        APPROVAL: (
            r"\b(you|your company) (are|is|will be) (eligible|approved|entitled|accepted)\b"
            r"|\b(will|shall) be (approved|granted|accepted|issued|delivered|paid)\b"
            r"|\b(has|have|is|are) been (approved|granted|accepted)\b"
            r"|\bwe (will|can|shall) (approve|grant|issue|pay|refund|deliver)\b"
            r"|\b(guarantee|we promise)"
        ),
        AMOUNT: r"[$€£] ?\d|\b\d+ ?(%|percent\b|usd\b|eur\b)|free of charge|\bno cost\b",
        TIME: r"\bwithin (\d+|one|two|three|a few)\b|soon as possible",
    },
    "de": {
        APPROVAL: (
            r"\b(sind|ist|wird|werden|wurde|wurden) ([\w-]+ ){0,3}"
            r"(genehmigt|bewilligt|zugelassen|berechtigt|freigegeben|erstattet|ausgezahlt|ausgestellt|angenommen)\b"
            r"|\bhaben ([\w-]+ ){0,2}anspruch\b"
            r"|\bwir (genehmigen|bewilligen|erstatten|zahlen|garantieren|versprechen)\b"
            r"|\bgarantier\w+"
        ),
        AMOUNT: r"[$€£] ?\d|\b\d+ ?(%|prozent\b|euro\b|eur\b|usd\b)|\bkostenlos|\bkostenfrei|\bgratis\b",
        TIME: r"\b(innerhalb|binnen) (von )?(\d+|eine[rms]?|zwei|drei|wenige[rn]?)\b|\bumgehend\b|\bschnellstmöglich",
    },
    "fr": {
        APPROVAL: (
            r"\b(est|êtes|sera|serez|seront|sont|a été|ont été) ([\w-]+ ){0,2}"
            r"(approuvée?s?|accordée?s?|éligibles?|acceptée?s?|validée?s?|remboursée?s?|payée?s?|délivrée?s?)\b"
            r"|\bnous (approuvons|accordons|garantissons|promettons|remboursons|payons)\b|\bgaranti(e|es|s)?\b"
            r"|\bavez droit\b"
        ),
        AMOUNT: r"[$€£] ?\d|\b\d+ ?(%|pour cent\b|euros?\b|eur\b|usd\b)|\d ?€|\bgratuit|\bsans frais\b",
        TIME: (
            r"\b(sous|dans un délai de|d'ici) (\d+|une?|deux|trois|quelques)\b"
            r"|\bdès que possible|\bdans les plus brefs"
        ),
    },
    "es": {
        APPROVAL: (
            r"\b(es|está|están|será|serán|ha sido|han sido) ([\w-]+ ){0,2}"
            r"(aprobad[oa]s?|concedid[oa]s?|elegibles?|aceptad[oa]s?|reembolsad[oa]s?|pagad[oa]s?|emitid[oa]s?)\b"
            r"|\btienen? derecho\b|\bgarantiza\w*|\bprometemos\b"
            r"|\b(aprobaremos|concederemos|pagaremos|reembolsaremos|emitiremos)\b"
        ),
        AMOUNT: (
            r"[$€£] ?\d|\d ?€|\b\d+ ?(%|por ciento\b|euros?\b|eur\b|usd\b|dólares)"
            r"|\bgratis\b|\bgratuit|\bsin coste?o?\b"
        ),
        TIME: (
            r"\b(en|dentro de|en un plazo de) (\d+|uno?|una|dos|tres|pocos|pocas|unos|unas) (hora|día|semana|mes)"
            r"|\blo antes posible"
        ),
    },
    "pt": {
        APPROVAL: (
            r"\b(é|está|são|estão|foi|foram|será|serão)\s+((automaticamente|já)\s+)?"
            r"(elegíve(l|is)|apt[oa]s?|qualificad[oa]s?|habilitad[oa]s?|aprovad[oa]s?|autorizad[oa]s?|aceit[oa]s?|conced\w+"
            r"|emitid[oa]s?|entregues?|pag[oa]s?|reembolsad[oa]s?)\b"
            r"|\b(tem|têm|terá|terão)\s+direito\b"
            r"|\b(vamos|iremos|podemos)\s+(aprovar|conceder|emitir|pagar|reembolsar|entregar|liberar)\b"
            r"|\bgarant(imos|ia|id[oa]s?|e|em)\b|\bprome(temos|te|tid[oa]s?)\b"
        ),
        AMOUNT: (
            r"(R\$|US\$|[$€£])\s?\d|\b\d+([.,]\d+)?\s?(%|por cento|reais|dólares|euros|usd\b|eur\b|brl\b)"
            r"|\bgrat(uit[oa]s?|uitamente|is)\b|\bgrátis\b|\bsem (nenhum )?custos?\b"
        ),
        TIME: (
            r"\b(dentro de|em até|no prazo de|em)\s+(\d+|uma?|dois|duas|três|poucos|poucas|alguns|algumas)\s*"
            r"(horas?|dias?|semanas?|meses|mês)\b|\bassim que possível\b"
            r"|\bo (mais rápido|quanto antes)\b|\bimediatamente\b"
        ),
    },
    "ja": {
        APPROVAL: (
            r"(承認|許可|認可|受理|発行|付与|納品|支給|返金|支払い)(いた)?(します|しました|されます|されました|されています|できます|済み)"
            r"|認められ(ます|ました|ています)|(資格|権利)が(あります|ございます)|(要件|条件)を満たして(います|おります)"
            r"|保証(いた)?します|お?約束(いた)?します"
        ),
        AMOUNT: r"[¥￥$€£]\s?[0-9０-９]|[0-9０-９]\s?[万千億]?\s?(円|ドル|ユーロ|%|％|割引)|無料|無償",
        TIME: (
            r"([0-9０-９一二三四五六七八九十数]+\s?(営業日|日間?|時間|週間|[かヶカケ]月|分))\s?(以内|後に|程度で|で|まで)|以内に"
            r"|(本日|明日|今週|来週|今月|来月)(中|まで)|速やかに|早急に|至急|できるだけ早く|まもなく"
        ),
    },
}

PROMISES: dict[str, dict[str, re.Pattern[str]]] = {
    language: {what: re.compile(words, re.IGNORECASE) for what, words in table.items()}
    for language, table in _WORDS.items()
}
