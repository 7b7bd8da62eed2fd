/*
 * What `cargo xtask bench store` records: two threads compress the files they are given, piece by
 * piece at several levels, decompress them again and compare. Linked with the sources of zstd.
 *
 *   real ROUNDS FILE…
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { PIECE = 8192, THREADS = 2 };

struct share {
	const char *bytes;
	size_t length;
	int rounds;
	size_t packed;
};

static size_t round_trip(const char *piece, size_t length, int level)
{
	char packed[2 * PIECE], unpacked[PIECE];
	size_t size = ZSTD_compress(packed, sizeof(packed), piece, length, level);
	if (ZSTD_isError(size) ||
	    ZSTD_decompress(unpacked, sizeof(unpacked), packed, size) != length ||
	    memcmp(piece, unpacked, length) != 0) {
		fprintf(stderr, "a piece did not come back as it was\n");
		exit(1);
	}
	return size;
}

static void *work(void *argument)
{
	struct share *share = argument;
	for (int round = 0; round < share->rounds; round++) {
		for (size_t at = 0; at < share->length; at += PIECE) {
			size_t rest = share->length - at;
			share->packed += round_trip(share->bytes + at, rest < PIECE ? rest : PIECE,
						    1 + (int)(at / PIECE + round) % 12);
		}
	}
	return NULL;
}

static char *read_all(char **paths, size_t *length)
{
	char *bytes = NULL;
	*length = 0;
	for (; *paths; paths++) {
		FILE *file = fopen(*paths, "rb");
		if (!file) {
			perror(*paths);
			exit(1);
		}
		size_t got;
		do {
			bytes = realloc(bytes, *length + 65536);
			if (!bytes)
				abort();
			got = fread(bytes + *length, 1, 65536, file);
			*length += got;
		} while (got > 0);
		fclose(file);
	}
	return bytes;
}

int main(int count, char **arguments)
{
	if (count < 3) {
		fprintf(stderr, "usage: real ROUNDS FILE...\n");
		return 2;
	}
	size_t length;
	char *bytes = read_all(arguments + 2, &length);
	pthread_t threads[THREADS];
	struct share shares[THREADS];
	for (int number = 0; number < THREADS; number++) {
		size_t begin = length * number / THREADS, end = length * (number + 1) / THREADS;
		shares[number] = (struct share){ bytes + begin, end - begin, atoi(arguments[1]), 0 };
		if (pthread_create(&threads[number], NULL, work, &shares[number]) != 0)
			abort();
	}
	size_t packed = 0;
	for (int number = 0; number < THREADS; number++) {
		pthread_join(threads[number], NULL);
		packed += shares[number].packed;
	}
	printf("%zu bytes packed to %zu\n", length, packed);
	free(bytes);
	return 0;
}
