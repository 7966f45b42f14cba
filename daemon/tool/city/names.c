/*
 * Who and what there is in Yunlan. Units and classes are those that every
 * Chinese city has; suppliers, accounts and funds are invented.
 */
#include "tool/city/city.h"

#include "base/util.h"

#include <string.h>

const char *const stream_names[N_STREAMS] = {
	"budgets",
	"orders",
	"awards",
	"payments",
};

const struct economic_class classes[] = {
	{ "30201", "办公费", 3000, 16000 },
	{ "30202", "印刷费", 2000, 9000 },
	{ "30205", "水费", 1000, 6000 },
	{ "30206", "电费", 4000, 20000 },
	{ "30207", "邮电费", 1000, 6000 },
	{ "30209", "物业管理费", 8000, 24000 },
	{ "30211", "差旅费", 2000, 9000 },
	{ "30212", "因公出国费用", 6000, 18000 },
	{ "30213", "维修费", 6000, 24000 },
	{ "30214", "租赁费", 8000, 24000 },
	{ "30215", "会议费", 3000, 14000 },
	{ "30216", "培训费", 4000, 18000 },
	{ "30217", "公务接待费", 1000, 5000 },
	{ "30218", "专用材料费", 8000, 24000 },
	{ "30226", "劳务费", 4000, 20000 },
	{ "30227", "委托业务费", 9000, 24000 },
	{ "30231", "公务用车运行维护费", 1500, 7000 },
	{ "30305", "生活补助", 3000, 15000 },
	{ "30308", "助学金", 3000, 15000 },
	/* capital */
	{ "31002", "办公设备购置", 60000, 400000 },
	{ "31003", "专用设备购置", 150000, 1200000 },
	{ "31005", "基础设施建设", 300000, 2400000 },
	{ "31006", "大型修缮", 200000, 1500000 },
	{ "31007", "信息网络及软件购置", 100000, 900000 },
	/* a class that no unit has a budget for */
	{ "30299", "其他商品和服务支出", 20000, 60000 },
};
const unsigned n_classes = ARRAY_SIZE(classes);
const unsigned n_plain_classes = 19;

const struct category categories[] = {
	{ "A0201", "计算机及外设", 0 }, { "A0202", "办公设备", 0 },
	{ "A0203", "车辆", 1 },         { "A0324", "医疗设备", 2 },
	{ "A0501", "家具用具", 3 },     { "A0901", "办公消耗用品", 3 },
	{ "B0301", "房屋修缮", 4 },     { "B0802", "道路养护", 5 },
	{ "C0201", "软件开发服务", 6 }, { "C0204", "运行维护服务", 6 },
	{ "C0803", "咨询服务", 7 },     { "C1204", "物业管理服务", 8 },
	{ "C1504", "印刷服务", 9 },
};
const unsigned n_categories = ARRAY_SIZE(categories);

/* What the city's regulations let each fund be spent on. */
const struct fund funds[] = {
	{ "F-101", "30216|30218|30227|30308|31003" },
	{ "F-102", "30213|30227|31005|31006" },
	{ "F-103", "30218|30226|30227|31003" },
	{ "F-104", "30227|30305|31005" },
	{ "F-105", "30213|30218|30227|31003|31005" },
	{ "F-106", "30227|31002|31007" },
	{ "F-107", "30216|30226|30305" },
	{ "F-220", "30213|30218" }, /* emergencies */
	{ "F-301", NULL },
};
const unsigned n_funds = ARRAY_SIZE(funds);

bool fund_allows(unsigned fund, unsigned class) {
	return funds[fund].classes &&
	       strstr(funds[fund].classes, classes[class].code);
}

const char *const unit_names[N_UNITS] = {
	"市教育局",         "市卫生健康委员会",   "市公安局",
	"市财政局",         "市民政局",           "市司法局",
	"市交通运输局",     "市水利局",           "市农业农村局",
	"市生态环境局",     "市住房和城乡建设局", "市自然资源局",
	"市文化广电旅游局", "市体育局",           "市市场监督管理局",
	"市应急管理局",     "市审计局",           "市统计局",
	"市医疗保障局",     "市城市管理局",       "市商务局",
	"市科学技术局",     "市工业和信息化局",   "市发展和改革委员会",
	"市退役军人事务局", "市林业局",           "市信访局",
	"市数据管理局",     "市机关事务管理局",   "市档案馆",
	"市图书馆",         "市博物馆",           "市第一人民医院",
	"市中医医院",       "市第一中学",         "市实验小学",
	"云澜职业技术学院", "市公共资源交易中心", "市消防救援支队",
	"市气象局",
};

const char *const methods[] = {
	"open",    "invited",       "negotiation", "consultation",
	"inquiry", "single_source", "direct",
};

static const char *const places[] = { "云澜", "江北", "青湖", "临川", "海岳" };
static const char *const words[] = {
	"鼎盛", "恒信", "华泰", "天成", "瑞丰", "博远", "中科", "金桥",
	"宏达", "正元", "明德", "汇通", "安和", "同创", "新锐", "佳禾",
	"百川", "凯旋", "永兴", "长青", "星辰", "四方", "三合", "万象",
	"荣光", "嘉禾", "启明", "德润", "卓越", "信义",
};
static const char *const trades[N_TRADES] = {
	"电子科技", "汽车销售", "医疗器械", "办公用品", "建筑工程",
	"市政养护", "软件技术", "管理咨询", "物业服务", "印务",
};

void supplier_name(struct buf *out, uint32_t supplier) {
	uint32_t i = supplier % PER_TRADE;

	buf_printf(out, "%s%s%s有限公司", places[i % ARRAY_SIZE(places)],
		   words[i / ARRAY_SIZE(places)], trades[supplier / PER_TRADE]);
}

void supplier_id(struct buf *out, uint32_t supplier) {
	/* Eighteen characters, like a 统一社会信用代码. */
	buf_printf(out, "91990100MA%08X",
		   (unsigned)(supplier * 2654435761u ^ 0x5a17c0deu));
}

void supplier_account(struct buf *out, uint32_t supplier) {
	/* Odd multipliers modulo powers of ten keep them apart. */
	buf_printf(out, "6217%08u%04u", supplier * 7919u % 100000000u,
		   supplier * 3u % 10000u);
}
