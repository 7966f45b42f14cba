/*
 * A disk that remembers what was synced. After a power cut each change since
 * then is there, is not, or is there in part; a name that a folder was not
 * synced with may be the old one.
 */
#include "sim.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT "/sim/"
#define FIRST_FD 100000
#define FDS 256
#define SECTOR 512u

struct image {
	uint8_t *bytes;
	size_t len;
};

/* Of a file: bytes at a place, or its length. */
struct change {
	struct change *next;
	bool is_length;
	size_t at, len;
	uint8_t *bytes;
};

struct entry {
	char name[96];
	struct node *node;
};

struct entries {
	struct entry *all;
	size_t n;
};

/* Of a folder: names that become others' together. */
struct naming {
	struct naming *next;
	struct entry to[2]; /* no node: it is gone */
	size_t n;
};

struct node {
	unsigned machine;
	char name[96]; /* that it was made with */
	bool is_folder;
	ino_t number;
	time_t changed;
	const struct process *locked;
	struct image now, synced;
	struct change *changes, **changes_tail;
	struct entries names, synced_names;
	struct naming *namings, **namings_tail;
};

static struct open_file {
	struct node *node; /* NULL: an event */
	const struct process *process;
	bool is_open;
	size_t at;
	uint64_t count;
} files[FDS];

struct disk disks[PROCESSES];
static struct node *roots[PROCESSES];

/* --- images --- */

static void set_length(struct image *image, size_t len) {
	if (len > image->len) {
		image->bytes = realloc(image->bytes, len);
		if (!image->bytes)
			abort();
		memset(image->bytes + image->len, 0, len - image->len);
	}
	image->len = len;
}

static void put(struct image *image, size_t at, const uint8_t *bytes,
		size_t len) {
	if (at + len > image->len)
		set_length(image, at + len);
	if (len)
		memcpy(image->bytes + at, bytes, len);
}

static void apply(struct image *image, const struct change *change) {
	if (change->is_length)
		set_length(image, change->at);
	else
		put(image, change->at, change->bytes, change->len);
}

/* Its first bytes, or some of its sectors. */
static void apply_torn(struct image *image, const struct change *change) {
	if (change->is_length)
		return;
	if (one_in(2)) {
		put(image, change->at, change->bytes, chance(change->len));
		return;
	}
	for (size_t at = 0; at < change->len; at += SECTOR)
		if (one_in(2))
			put(image, change->at + at, change->bytes + at,
			    change->len - at < SECTOR ? change->len - at
						      : SECTOR);
}

static void add_change(struct node *node, const struct change *like) {
	struct change *change = make(1, sizeof(*change));

	*change = *like;
	if (like->len) {
		change->bytes = make(like->len, 1);
		memcpy(change->bytes, like->bytes, like->len);
	}
	*node->changes_tail = change;
	node->changes_tail = &change->next;
	apply(&node->now, change);
	node->changed = (time_t)(sim_wall() / 1000000);
}

static void forget_changes(struct node *node) {
	while (node->changes) {
		struct change *change = node->changes;

		node->changes = change->next;
		free(change->bytes);
		free(change);
	}
	node->changes_tail = &node->changes;
}

static void sync_bytes(struct node *node) {
	for (const struct change *c = node->changes; c; c = c->next)
		apply(&node->synced, c);
	forget_changes(node);
}

/* Some reached the disk, and nobody will write the others again. */
static void sync_in_vain(struct node *node) {
	for (const struct change *c = node->changes; c; c = c->next)
		if (one_in(2))
			apply(&node->synced, c);
	forget_changes(node);
}

/* --- names --- */

static struct node *new_node(unsigned machine, const char *name,
			     bool is_folder) {
	static ino_t number;
	struct node *node = make(1, sizeof(*node));

	node->machine = machine;
	snprintf(node->name, sizeof(node->name), "%s", name);
	node->is_folder = is_folder;
	node->number = ++number;
	node->changed = (time_t)(sim_wall() / 1000000);
	node->changes_tail = &node->changes;
	node->namings_tail = &node->namings;
	return node;
}

static struct entry *find(const struct entries *in, const char *name) {
	for (size_t i = 0; i < in->n; i++)
		if (strcmp(in->all[i].name, name) == 0)
			return &in->all[i];
	return NULL;
}

static void set_name(struct entries *in, const struct entry *to) {
	struct entry *is = find(in, to->name);

	if (is && to->node) {
		is->node = to->node;
	} else if (is) {
		*is = in->all[--in->n];
	} else if (to->node) {
		in->all = reallocarray(in->all, in->n + 1, sizeof(*in->all));
		if (!in->all)
			abort();
		in->all[in->n++] = *to;
	}
}

static void add_naming(struct node *folder, const struct entry *to, size_t n) {
	struct naming *naming = make(1, sizeof(*naming));

	naming->n = n;
	for (size_t i = 0; i < n; i++) {
		naming->to[i] = to[i];
		set_name(&folder->names, &to[i]);
	}
	*folder->namings_tail = naming;
	folder->namings_tail = &naming->next;
}

static void sync_names(struct node *folder) {
	for (struct naming *it = folder->namings; it; it = it->next)
		for (size_t i = 0; i < it->n; i++)
			set_name(&folder->synced_names, &it->to[i]);
	folder->namings = NULL;
	folder->namings_tail = &folder->namings;
}

static bool is_among(const char (*names)[64], size_t n, const char *name) {
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/*
 * What comes behind a lost change of a name is lost with it; on a disk that
 * keeps order everything is.
 */
static void cut_names(struct node *folder) {
	char(*lost)[64] = NULL;
	size_t n = 0;
	bool all = false;

	for (struct naming *it = folder->namings; it; it = it->next) {
		bool loses = all || one_in(3);

		for (size_t i = 0; i < it->n; i++)
			loses |= is_among(lost, n, it->to[i].name);
		for (size_t i = 0; i < it->n; i++) {
			if (!loses) {
				set_name(&folder->synced_names, &it->to[i]);
				continue;
			}
			lost = reallocarray(lost, n + 1, sizeof(*lost));
			if (!lost)
				abort();
			strcpy(lost[n++], it->to[i].name);
		}
		all |= loses && disks[folder->machine].keeps_order;
	}
	free(lost);
	folder->namings = NULL;
	folder->namings_tail = &folder->namings;
}

static void cut(struct node *node) {
	node->locked = NULL;
	if (!node->is_folder) {
		for (const struct change *c = node->changes; c; c = c->next) {
			uint64_t fate = chance(4);

			if (fate == 0)
				apply_torn(&node->synced, c);
			else if (fate > 1)
				apply(&node->synced, c);
		}
		forget_changes(node);
		node->now.len = 0;
		put(&node->now, 0, node->synced.bytes, node->synced.len);
		return;
	}
	cut_names(node);
	node->names.n = 0;
	for (size_t i = 0; i < node->synced_names.n; i++) {
		set_name(&node->names, &node->synced_names.all[i]);
		cut(node->synced_names.all[i].node);
	}
}

void disk_power_cut(unsigned number) {
	cut(roots[number]);
}

void disk_begin(void) {
	for (unsigned i = 0; i < PROCESSES; i++) {
		roots[i] = new_node(i, "", true);
		disks[i].keeps_order = one_in(2);
	}
}

void disk_state(char *path, size_t size, unsigned number) {
	snprintf(path, size, ROOT "%u/state", number);
}

/* --- paths --- */

static bool is_ours(const char *path) {
	return strncmp(path, ROOT, strlen(ROOT)) == 0;
}

/* The folder that holds, or would hold, what @path names; NULL: there is
 * none. */
static struct node *parent_of(const char *path, struct entry *last) {
	struct node *at;
	char *end;

	path += strlen(ROOT);
	at = roots[strtoul(path, &end, 10)];
	if (!end[strspn(end, "/")]) {
		last->node = at;
		return at;
	}
	for (path = end;;) {
		size_t n;
		const struct entry *next;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		snprintf(last->name, sizeof(last->name), "%.*s", (int)n, path);
		path += n;
		next = find(&at->names, last->name);
		last->node = next ? next->node : NULL;
		if (!path[strspn(path, "/")])
			return at;
		if (!next || !next->node->is_folder) {
			errno = next ? ENOTDIR : ENOENT;
			return NULL;
		}
		at = next->node;
	}
}

static struct node *node_at(const char *path) {
	struct entry last = { 0 };

	if (!parent_of(path, &last))
		return NULL;
	if (!last.node)
		errno = ENOENT;
	return last.node;
}

static struct disk *disk_of(const char *path) {
	return &disks[strtoul(path + strlen(ROOT), NULL, 10)];
}

/* A call on this disk, and the file's name; true: it fails. */
static bool fails(const struct disk *disk, const char *call, const char *name) {
	char text[128];

	snprintf(text, sizeof(text), "%s %s", call, name);
	point(text);
	if (!process_self() || !one_in(disk->fails_one_in))
		return false;
	note("%s fails", text);
	errno = EIO;
	return true;
}

static bool has_no_room(const struct disk *disk) {
	if (!process_self() || !disk->is_full)
		return false;
	errno = ENOSPC;
	return true;
}

static struct open_file *file_of(int fd) {
	if (fd < FIRST_FD || fd >= FIRST_FD + FDS)
		return NULL;
	if (!files[fd - FIRST_FD].is_open)
		fail("a descriptor is used that is closed");
	return &files[fd - FIRST_FD];
}

/* Of a call that only we make. */
static struct node *node_of(int fd) {
	struct open_file *file = file_of(fd);

	if (!file || !file->node)
		fail("no file of ours");
	return file->node;
}

static int new_file(struct node *node) {
	for (int i = 0; i < FDS; i++) {
		if (files[i].is_open)
			continue;
		files[i] = (struct open_file){ .node = node,
					       .process = process_self(),
					       .is_open = true };
		return FIRST_FD + i;
	}
	fail("descriptors are not closed");
}

void disk_close_all(const struct process *process) {
	for (int i = 0; i < FDS; i++) {
		struct open_file *file = &files[i];

		if (!file->is_open || file->process != process)
			continue;
		if (file->node && file->node->locked == process)
			file->node->locked = NULL;
		file->is_open = false;
	}
}

/* Files whose path holds @part, and that hold something. */
static void list(struct node *folder, const char *path, const char *part,
		 struct node **found, size_t *n) {
	for (size_t i = 0; i < folder->names.n; i++) {
		struct node *node = folder->names.all[i].node;
		char at[256];

		snprintf(at, sizeof(at), "%s/%s", path,
			 folder->names.all[i].name);
		if (node->is_folder)
			list(node, at, part, found, n);
		else if (strstr(at, part) && node->now.len && *n < FDS)
			found[(*n)++] = node;
	}
}

static struct node *choose(unsigned number, const char *part) {
	struct node *found[FDS];
	size_t n = 0;

	list(roots[number], "", part, found, &n);
	return n ? found[chance(n)] : NULL;
}

bool disk_damage(unsigned number) {
	struct node *node =
		choose(number, one_in(2) ? "/checkpoint/" : "/sent/");
	size_t at;

	if (!node)
		return false;
	at = chance(node->now.len);
	node->now.bytes[at] ^= (uint8_t)(1 + chance(255));
	put(&node->synced, at, node->now.bytes + at, 1);
	return true;
}

bool disk_forget(unsigned number) {
	struct node *node = choose(number, ".seg");
	size_t at;

	if (!node)
		return false;
	at = chance(node->now.len);
	memset(node->now.bytes + at, 0, node->now.len - at);
	forget_changes(node);
	set_length(&node->synced, 0);
	put(&node->synced, 0, node->now.bytes, node->now.len);
	return true;
}

/* --- the calls --- */

int open(const char *path, int flags, ...) {
	struct entry last = { 0 };
	struct node *folder;
	const struct disk *disk;
	va_list more;
	mode_t mode = 0;

	if (flags & O_CREAT) {
		va_start(more, flags);
		mode = va_arg(more, mode_t);
		va_end(more);
	}
	if (!is_ours(path))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	disk = disk_of(path);
	if (fails(disk, "open", path) || !(folder = parent_of(path, &last)))
		return -1;
	if (!last.node) {
		if (!(flags & O_CREAT)) {
			errno = ENOENT;
			return -1;
		}
		if (has_no_room(disk))
			return -1;
		last.node = new_node(folder->machine, last.name, false);
		add_naming(folder, &last, 1);
	} else if (flags & O_TRUNC) {
		add_change(last.node, &(struct change){ .is_length = true });
	}
	return new_file(last.node);
}

int close(int fd) {
	struct open_file *file = file_of(fd);

	if (!file)
		return (int)syscall(SYS_close, fd);
	if (file->node && file->node->locked == file->process)
		file->node->locked = NULL;
	file->is_open = false;
	return 0;
}

int eventfd(unsigned count, int flags) {
	(void)count;
	(void)flags;
	return new_file(NULL);
}

ssize_t pread(int fd, void *to, size_t n, off_t at) {
	struct open_file *file = file_of(fd);
	const struct image *image;

	if (!file)
		return syscall(SYS_pread64, fd, to, n, at);
	if (fails(&disks[file->node->machine], "read", file->node->name))
		return -1;
	image = &file->node->now;
	if ((size_t)at >= image->len)
		return 0;
	if (n > image->len - (size_t)at)
		n = image->len - (size_t)at;
	memcpy(to, image->bytes + at, n);
	return (ssize_t)n;
}

ssize_t read(int fd, void *to, size_t n) {
	struct open_file *file = file_of(fd);
	ssize_t got;

	if (!file)
		return syscall(SYS_read, fd, to, n);
	if (!file->node) {
		memcpy(to, &file->count, sizeof(file->count));
		file->count = 0;
		return (ssize_t)n;
	}
	got = pread(fd, to, n, (off_t)file->at);
	file->at += got > 0 ? (size_t)got : 0;
	return got;
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at) {
	struct open_file *file = file_of(fd);
	const struct disk *disk;

	if (!file)
		return syscall(SYS_pwrite64, fd, from, n, at);
	disk = &disks[file->node->machine];
	if (fails(disk, "write", file->node->name))
		return -1;
	/* Room that was set aside may serve, or not. */
	if (disk->is_full &&
	    ((size_t)at + n > file->node->now.len || one_in(4))) {
		n = one_in(2) ? 0 : chance(n);
		if (!n && has_no_room(disk))
			return -1;
	}
	add_change(file->node,
		   &(struct change){ .at = (size_t)at,
				     .len = n,
				     .bytes = (uint8_t *)(uintptr_t)from });
	return (ssize_t)n;
}

ssize_t write(int fd, const void *from, size_t n) {
	struct open_file *file = file_of(fd);
	ssize_t put_there;

	if (fd == STDERR_FILENO && process_self()) {
		note("%u says: %.*s", process_self()->number, (int)n - 1,
		     (const char *)from);
		seams += memmem(from, n, "with a seam", 11) != NULL;
		return (ssize_t)n;
	}
	if (!file)
		return syscall(SYS_write, fd, from, n);
	if (!file->node) {
		file->count = 1;
		return (ssize_t)n;
	}
	put_there = pwrite(fd, from, n, (off_t)file->at);
	file->at += put_there > 0 ? (size_t)put_there : 0;
	return put_there;
}

off_t lseek(int fd, off_t at, int from) {
	struct open_file *file = file_of(fd);

	if (!file)
		return syscall(SYS_lseek, fd, at, from);
	if (from == SEEK_END)
		at += (off_t)file->node->now.len;
	file->at = (size_t)at;
	return at;
}

int ftruncate(int fd, off_t len) {
	struct open_file *file = file_of(fd);

	if (!file)
		return (int)syscall(SYS_ftruncate, fd, len);
	if (fails(&disks[file->node->machine], "truncate", file->node->name))
		return -1;
	add_change(file->node,
		   &(struct change){ .is_length = true, .at = (size_t)len });
	return 0;
}

int fallocate(int fd, int mode, off_t from, off_t len) {
	struct open_file *file = file_of(fd);
	size_t end = (size_t)from + (size_t)len;

	if (!file)
		return (int)syscall(SYS_fallocate, fd, mode, from, len);
	if (fails(&disks[file->node->machine], "allocate", file->node->name))
		return -1;
	if (end <= file->node->now.len)
		return 0;
	if (has_no_room(&disks[file->node->machine]))
		return -1;
	add_change(file->node,
		   &(struct change){ .is_length = true, .at = end });
	return 0;
}

static int sync_node(struct node *node, const char *call) {
	if (fails(&disks[node->machine], call, node->name)) {
		sync_in_vain(node);
		return -1;
	}
	if (node->is_folder)
		sync_names(node);
	else
		sync_bytes(node);
	return 0;
}

int fsync(int fd) {
	return sync_node(node_of(fd), "sync");
}

int fdatasync(int fd) {
	return sync_node(node_of(fd), "sync of data");
}

int sync_file_range(int fd, off_t from, off_t n, unsigned flags) {
	(void)fd;
	(void)from;
	(void)n;
	(void)flags;
	return 0;
}

static int say(const struct node *node, struct stat *ret) {
	if (!node)
		return -1;
	memset(ret, 0, sizeof(*ret));
	ret->st_mode = node->is_folder ? S_IFDIR | 0700 : S_IFREG | 0600;
	ret->st_size = (off_t)node->now.len;
	ret->st_mtim.tv_sec = node->changed;
	ret->st_ino = node->number;
	return 0;
}

int stat(const char *path, struct stat *ret) {
	if (!is_ours(path))
		return (int)syscall(SYS_newfstatat, AT_FDCWD, path, ret, 0);
	return fails(disk_of(path), "stat", path) ? -1
						  : say(node_at(path), ret);
}

int fstat(int fd, struct stat *ret) {
	struct open_file *file = file_of(fd);

	if (!file)
		return (int)syscall(SYS_fstat, fd, ret);
	return say(file->node, ret);
}

int access(const char *path, int mode) {
	if (!is_ours(path))
		return (int)syscall(SYS_access, path, mode);
	return node_at(path) ? 0 : -1;
}

int mkdir(const char *path, mode_t mode) {
	struct entry last = { 0 };
	struct node *folder;

	if (!is_ours(path))
		return (int)syscall(SYS_mkdir, path, mode);
	if (fails(disk_of(path), "mkdir", path) ||
	    !(folder = parent_of(path, &last)))
		return -1;
	if (last.node) {
		errno = EEXIST;
		return -1;
	}
	if (has_no_room(disk_of(path)))
		return -1;
	last.node = new_node(folder->machine, last.name, true);
	add_naming(folder, &last, 1);
	return 0;
}

static int remove_name(const char *path, const char *call) {
	struct entry last = { 0 };
	struct node *folder;

	if (fails(disk_of(path), call, path) ||
	    !(folder = parent_of(path, &last)))
		return -1;
	if (!last.node || (last.node->is_folder && last.node->names.n)) {
		errno = last.node ? ENOTEMPTY : ENOENT;
		return -1;
	}
	last.node = NULL;
	add_naming(folder, &last, 1);
	return 0;
}

int unlink(const char *path) {
	return is_ours(path) ? remove_name(path, "unlink")
			     : (int)syscall(SYS_unlink, path);
}

int rmdir(const char *path) {
	return is_ours(path) ? remove_name(path, "rmdir")
			     : (int)syscall(SYS_rmdir, path);
}

/* Within one folder: nothing here asks for more. */
int rename(const char *from, const char *to) {
	struct entry names[2] = { 0 };
	struct node *folder;

	if (fails(disk_of(from), "rename", from) ||
	    !parent_of(from, &names[0]) || !(folder = parent_of(to, &names[1])))
		return -1;
	names[1].node = names[0].node;
	if (!names[0].node) {
		errno = ENOENT;
		return -1;
	}
	names[0].node = NULL;
	add_naming(folder, names, 2);
	return 0;
}

int flock(int fd, int how) {
	const struct process *self = process_self();
	struct node *node = node_of(fd);

	(void)how;
	if (node->locked && node->locked != self) {
		errno = EWOULDBLOCK;
		return -1;
	}
	node->locked = self;
	return 0;
}

/* A folder's names in no order; those of others are the library's. */
struct listing {
	bool is_ours;
	struct entries names;
	size_t at;
	struct dirent dirent;
	DIR *other;
};

DIR *opendir(const char *path) {
	struct listing *dir = make(1, sizeof(*dir));
	DIR *(*other)(const char *);
	struct node *node;

	if (!is_ours(path)) {
		*(void **)&other = dlsym(RTLD_NEXT, "opendir");
		dir->other = other(path);
		return dir->other ? (DIR *)dir : NULL;
	}
	if (fails(disk_of(path), "opendir", path) || !(node = node_at(path)))
		return NULL;
	dir->is_ours = true;
	dir->names.n = node->names.n;
	dir->names.all = make(node->names.n, sizeof(struct entry));
	for (size_t i = 0; i < node->names.n; i++) {
		size_t k = chance(i + 1);

		dir->names.all[i] = dir->names.all[k];
		dir->names.all[k] = node->names.all[i];
	}
	return (DIR *)dir;
}

struct dirent *readdir(DIR *of) {
	struct listing *dir = (struct listing *)of;
	struct dirent *(*other)(DIR *);

	if (!dir->is_ours) {
		*(void **)&other = dlsym(RTLD_NEXT, "readdir");
		return other(dir->other);
	}
	if (dir->at == dir->names.n)
		return NULL;
	strcpy(dir->dirent.d_name, dir->names.all[dir->at++].name);
	return &dir->dirent;
}

int closedir(DIR *of) {
	struct listing *dir = (struct listing *)of;
	int (*other)(DIR *);

	if (dir->is_ours)
		return 0;
	*(void **)&other = dlsym(RTLD_NEXT, "closedir");
	return other(dir->other);
}
