/*
 * Who and what there is in Yunlan. Units and classes are those that every
 * Chinese city has; suppliers, people, accounts and funds are invented.
 */
#include "tool/city/city.h"

#include "base/util.h"

#include <assert.h>
#include <string.h>

const struct channel channels[N_CHANNELS] = {
	[BUDGETS] = { "budgets", "budgets.jsonl", "budgets", 'B' },
	[PAYMENTS] = { "payments", "payments.jsonl", "payments", 'P' },
	[CARDS] = { "cards", "cards.jsonl", "cards", 'K' },
	[APPROVALS] = { "approvals", "approvals.jsonl", "approvals", 'S' },
	[ORDERS] = { "orders", "orders.jsonl", "orders", 'O' },
	[TENDERS] = { "tenders", "tenders.jsonl", "tenders", 'T' },
	[BIDS] = { "bids", "bids.jsonl", "bids", 'D' },
	[AWARDS] = { "awards", "awards.jsonl", "awards", 'A' },
	[CONTRACTS] = { "contracts", "contracts.jsonl", "contracts", 'C' },
	[PARTIES] = { "parties", "parties.jsonl", "parties", 'R' },
	[CHANNEL_HEALTH] = { "payments-health", "payments-health.csv",
			     "payments.health", 'M' },
	[CHANNEL_EDU] = { "payments-edu", "payments-edu.jsonl", "payments.edu",
			  'E' },
};

const struct economic_class classes[N_CLASSES] = {
	{ "30201", CLASS_PLAIN, 800,
	  "办公用品采购|文件柜购置|档案盒及纸张|"
	  "办公耗材更换|报刊订阅|饮用水配送" },
	{ "30202", CLASS_PLAIN, 500,
	  "宣传册印刷|年度报告印制|表格印制|"
	  "会议材料印刷|标识牌制作" },
	{ "30205", CLASS_PLAIN, 300, "自来水费|二次供水费|排污水费" },
	{ "30206", CLASS_PLAIN, 1500,
	  "办公楼电费|食堂用电|机房电费|"
	  "路灯照明电费" },
	{ "30207", CLASS_PLAIN, 250,
	  "邮政快递费|固定电话费|互联网专线费|"
	  "短信平台使用费" },
	{ "30208", CLASS_PLAIN, 1800, "冬季取暖费|锅炉房燃气费|供热管网维护" },
	{ "30209", CLASS_SOLID, 3000,
	  "物业管理费|保安服务费|保洁服务费|"
	  "电梯维保费|绿化养护费" },
	{ "30211", CLASS_CARD, 400,
	  "赴省城出差住宿|调研差旅|跨市会议交通住宿|"
	  "巡察差旅" },
	{ "30212", CLASS_PLAIN, 3000,
	  "友城访问机票|境外培训食宿|"
	  "国际会议注册费" },
	{ "30213", CLASS_SOLID, 2500,
	  "屋面防水维修|空调检修|管道疏通|"
	  "消防设施维修|门窗更换" },
	{ "30214", CLASS_RENT, 6000,
	  "业务用房租金|仓库租金|设备租赁费|"
	  "停车场租金" },
	{ "30215", CLASS_CARD, 1200,
	  "季度工作会议场地费|座谈会会务费|"
	  "专题会议餐饮" },
	{ "30216", CLASS_CARD, 1500,
	  "业务骨干培训费|继续教育学费|"
	  "网络课程费|技能考核费" },
	{ "30217", CLASS_CARD, 250,
	  "上级检查组工作餐|来访考察团用餐|"
	  "交流学习接待" },
	{ "30218", CLASS_SOLID, 3000,
	  "检测试剂|实验耗材|医用卫生材料|"
	  "防护用品|专用图书" },
	{ "30225", CLASS_PLAIN, 1500, "锅炉燃料|工程车柴油|应急发电机燃油" },
	{ "30226", CLASS_PLAIN, 1500,
	  "劳务派遣服务费|专家评审组织费|"
	  "临时用工服务|讲解服务费" },
	{ "30227", CLASS_SOLID, 3500,
	  "规划编制委托费|第三方评估费|"
	  "审计服务费|检验检测委托费|"
	  "课题研究经费" },
	{ "30228", CLASS_PLAIN, 900,
	  "工会活动场地费|职工文体用品|"
	  "慰问品采购" },
	{ "30229", CLASS_PLAIN, 700, "职工体检费|节日慰问品|食堂食材" },
	{ "30231", CLASS_CARD, 400,
	  "公务车加油|公务车维修保养|过路停车费|"
	  "车辆保险" },
	{ "30239", CLASS_PLAIN, 600,
	  "通勤班车费|市内公交卡充值|"
	  "租车下乡调研" },
	{ "30101", CLASS_PERSON, 2500,
	  "基本工资补发|聘用人员工资|"
	  "岗位工资差额" },
	{ "30305", CLASS_PERSON, 800,
	  "遗属生活补助|困难职工补助|"
	  "驻村生活补助" },
	{ "30308", CLASS_PERSON, 600, "助学金发放|实习生补贴|奖学金发放" },
	{ "30309", CLASS_PERSON, 500,
	  "见义勇为奖励|优秀员工奖励|"
	  "科技创新奖励" },
	/* capital */
	{ "31002", CLASS_CAPITAL, 40000,
	  "办公设备购置款|家具购置款|"
	  "会议系统购置款" },
	{ "31003", CLASS_CAPITAL, 80000,
	  "专用设备购置款|检验设备进度款|"
	  "医疗设备购置款" },
	{ "31005", CLASS_CAPITAL, 600000,
	  "道路工程进度款|管网工程进度款|"
	  "新建工程进度款" },
	{ "31006", CLASS_CAPITAL, 200000,
	  "大楼加固进度款|校舍修缮进度款|"
	  "病房改造进度款" },
	{ "31007", CLASS_CAPITAL, 100000,
	  "信息系统开发进度款|平台升级款|"
	  "网络安全加固款" },
	/* what nobody has of old */
	{ "30299", CLASS_RARE, 1000, "法律顾问费|广告发布费|信息公告费" },
	{ "30240", CLASS_RARE, 4000, "土地使用税|车船税及附加|水资源税" },
	{ "31203", CLASS_RARE, 2000, "稳岗费用补贴|技改费用补贴" },
	{ "31013", CLASS_RARE, 60000, "公务用车更新|执法车辆购置" },
	{ "31022", CLASS_RARE, 30000, "专利许可费|数据资源购置费" },
	{ "31011", CLASS_RARE, 300000,
	  "拆迁补偿配套款|青苗补偿配套款|"
	  "设施迁改费" },
	/* what is there for a rush at the end of the year */
	{ "31008", CLASS_RUSH, 60000, "应急物资储备|防汛物资储备" },
	{ "31021", CLASS_RUSH, 50000, "展陈设施购置|馆藏设施购置" },
	{ "31099", CLASS_RUSH, 300000,
	  "专项工程配套款|设施提升配套款|"
	  "片区整治配套款" },
};

unsigned class_of(const char *code) {
	for (unsigned i = 0; i < N_CLASSES; i++)
		if (!strcmp(classes[i].code, code))
			return i;
	assert(!"a class that the city has");
	return 0;
}

bool class_is_restrained(unsigned class) {
	static const char *const codes[] = { "30212", "30215", "30217",
					     "30231" };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (!strcmp(classes[class].code, codes[i]))
			return true;
	return false;
}

/* Of the national catalogue, shortened: A goods, B works, C services. */
const struct category categories[N_CATEGORIES] = {
	{ "A02010104", "服务器", 0, NULL },
	{ "A02010105", "台式计算机", 0, NULL },
	{ "A02010108", "便携式计算机", 0, NULL },
	{ "A02020100", "复印机", 3, "31002" },
	{ "A02020200", "投影仪", 3, NULL },
	{ "A02030500", "乘用车", 1, NULL },
	{ "A02030600", "客车", 1, NULL },
	{ "A03240100", "医疗影像设备", 2, "31003" },
	{ "A03240700", "检验设备", 2, NULL },
	{ "A03340100", "专用仪器仪表", 2, "31003" },
	{ "A05010200", "办公桌椅", 3, NULL },
	{ "A05010500", "文件柜架", 3, "31002" },
	{ "A09010100", "复印纸", 3, NULL },
	{ "A09020100", "硒鼓墨盒", 0, NULL },
	{ "B01010000", "房屋建设", 4, "31005" },
	{ "B03010000", "房屋修缮", 4, "31006" },
	{ "B07030000", "道路养护", 5, NULL },
	{ "B08020000", "管网工程", 5, "31005" },
	{ "C02010300", "应用软件开发", 6, "31007" },
	{ "C02060000", "运行维护服务", 6, NULL },
	{ "C08030000", "咨询服务", 7, NULL },
	{ "C08140100", "印刷服务", 9, NULL },
	{ "C12040000", "物业管理服务", 8, NULL },
	{ "C13050200", "环境治理服务", 11, NULL },
	{ "C15040000", "会议服务", 10, NULL },
};

const struct item items[N_ITEMS] = {
	{ "机架式服务器-双路", 0, 46800 },
	{ "机架式服务器-四路", 0, 128000 },
	{ "存储阵列-50TB", 0, 96500 },
	{ "刀片服务器", 0, 68200 },
	{ "塔式服务器", 0, 21500 },
	{ "台式计算机-标准型", 1, 4680 },
	{ "台式计算机-增强型", 1, 6350 },
	{ "台式计算机-国产化", 1, 7240 },
	{ "图形工作站", 1, 15800 },
	{ "云桌面终端", 1, 2860 },
	{ "便携式计算机-标准型", 2, 6180 },
	{ "便携式计算机-国产化", 2, 8450 },
	{ "平板电脑", 2, 3270 },
	{ "移动工作站", 2, 17600 },
	{ "执法记录终端", 2, 2430 },
	{ "复印机-A3黑白", 3, 18600 },
	{ "复印机-A3彩色", 3, 32400 },
	{ "多功能一体机", 3, 4350 },
	{ "高速扫描仪", 3, 7820 },
	{ "工程投影仪", 4, 23600 },
	{ "教室投影仪", 4, 5460 },
	{ "会议平板-86寸", 4, 19800 },
	{ "激光投影仪", 4, 34500 },
	{ "轿车-新能源", 5, 148000 },
	{ "越野车", 5, 176000 },
	{ "执法用车", 5, 163000 },
	{ "皮卡", 5, 118000 },
	{ "客车-19座", 6, 285000 },
	{ "客车-35座", 6, 468000 },
	{ "校车-36座", 6, 392000 },
	{ "救护车", 6, 346000 },
	{ "便携式超声仪", 7, 178000 },
	{ "数字化摄影系统", 7, 865000 },
	{ "心电图机", 7, 36500 },
	{ "监护仪", 7, 24800 },
	{ "生化分析仪", 8, 268000 },
	{ "血细胞分析仪", 8, 87500 },
	{ "核酸提取仪", 8, 74200 },
	{ "生物安全柜", 8, 42300 },
	{ "离心机", 8, 18900 },
	{ "水质监测仪", 9, 53600 },
	{ "气相色谱仪", 9, 236000 },
	{ "全站仪", 9, 64800 },
	{ "测距仪", 9, 3650 },
	{ "办公桌", 10, 1280 },
	{ "办公椅", 10, 465 },
	{ "会议桌", 10, 3850 },
	{ "学生课桌椅", 10, 328 },
	{ "沙发-三人位", 10, 2460 },
	{ "铁皮文件柜", 11, 735 },
	{ "密集架", 11, 1130 },
	{ "保密柜", 11, 1890 },
	{ "书架", 11, 620 },
	{ "复印纸-A4", 12, 178 },
	{ "复印纸-A3", 12, 236 },
	{ "档案盒", 12, 14 },
	{ "硒鼓-黑色", 13, 326 },
	{ "硒鼓-彩色", 13, 748 },
	{ "墨盒", 13, 187 },
	{ "碎纸机", 13, 1240 },
};

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

/* The last seven are three hospitals and four schools. */
const char *unit_name(unsigned unit) {
	static const char *const names[N_UNITS] = {
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
		"市图书馆",         "市消防救援支队",     "市气象局",
		"市第一人民医院",   "市中医医院",         "市妇幼保健院",
		"市第一中学",       "市实验小学",         "云澜职业技术学院",
		"市特殊教育学校",
	};

	return names[unit];
}

const char *const methods[] = {
	"open",    "invited",       "negotiation", "consultation",
	"inquiry", "single_source", "direct",
};

/* Five places by twenty-five words fill a trade; the rest are newcomers. */
void supplier_name(struct buf *out, unsigned trade, uint32_t nth) {
	static const char *const places[] = { "云澜", "江北", "青湖", "临川",
					      "海岳" };
	static const char *const words[] = {
		"鼎盛", "恒信", "华泰", "天成", "瑞丰", "博远", "中科", "金桥",
		"宏达", "正元", "明德", "汇通", "安和", "同创", "新锐", "佳禾",
		"百川", "凯旋", "永兴", "长青", "星辰", "四方", "三合", "万象",
		"荣光", "嘉禾", "启明", "德润", "卓越", "信义", "远航", "立新",
		"晨曦", "盛世", "众诚", "天行", "玉衡", "北辰", "南屏", "东篱",
		"西岭", "广厦", "致远", "怀德", "经纬", "融创", "亿丰", "朗润",
		"恒昌", "普惠",
	};
	static const char *const trades[N_TRADES] = {
		"电子科技", "汽车销售", "医疗器械", "办公用品",
		"建筑工程", "市政养护", "软件技术", "管理咨询",
		"物业服务", "印务",     "酒店管理", "环保工程",
	};

	assert(nth < ARRAY_SIZE(places) * ARRAY_SIZE(words));
	buf_printf(out, "%s%s%s有限公司", places[nth % ARRAY_SIZE(places)],
		   words[nth / ARRAY_SIZE(places)], trades[trade]);
}

void person_name(struct buf *out, uint32_t nth) {
	static const char *const family[] = {
		"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴",
		"徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马", "罗",
		"梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧",
	};
	static const char *const given[] = {
		"建国", "秀英", "志强", "丽华", "文博", "晓燕", "国庆", "玉兰",
		"海涛", "春梅", "俊杰", "雪松", "明远", "思源", "子涵", "雨桐",
		"浩然", "欣怡", "宏伟", "桂芳", "立军", "淑珍", "振华", "美玲",
		"永康", "佳琪", "德胜", "红霞", "少波", "慧敏", "广林", "冬梅",
		"新民", "金凤", "卫东", "翠萍", "家豪", "静怡", "天佑", "若曦",
	};

	buf_puts(out, family[nth % ARRAY_SIZE(family)]);
	buf_puts(out, given[nth / ARRAY_SIZE(family) % ARRAY_SIZE(given)]);
}
