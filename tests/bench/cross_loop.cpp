// The cross of two averages by hand: the orders, charges and curve of the kernel's run, and nothing
// else. No limits, no stops, no order states, no strategy that could be another: the floor.
//
// cross_loop FOLDER SYMBOLS BARS FAST SLOW QUANTITY ROUNDS  BROKERAGE TAX_BUY TAX_SELL TXN IPFT SEBI
// STAMP_BUY STAMP_SELL GST: rates in billionths. FOLDER has open and close, rupees as float64, bar
// by bar; fills (symbol, bar, paise) and curve (paise) are written there. Prints the nanoseconds of
// each round.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr int64_t NANO = 1'000'000'000;

struct Rates {
    int64_t brokerage, tax_buy, tax_sell, txn, ipft, sebi, stamp_buy, stamp_sell, gst;
};

// The contract note of a day: brokerage is rounded order by order, all else on the day's sums.
struct Note {
    int64_t bought = 0, sold = 0, brokerage = 0;

    void trade(const Rates &r, bool buys, int64_t value) {
        (buys ? bought : sold) += value;
        brokerage += (value * r.brokerage + NANO / 2) / NANO;
    }

    // The core's own products are split so that they stay within 63 bits; here 128 do.
    static int64_t part(int64_t a, int64_t rate, int64_t b, int64_t its, int64_t up) {
        return int64_t((__int128(a) * rate + __int128(b) * its + up) / NANO);
    }

    int64_t total(const Rates &r) const {
        int64_t turnover = bought + sold;
        int64_t tax = (part(bought, r.tax_buy, sold, r.tax_sell, NANO / 2) + 50) / 100 * 100;
        int64_t txn = part(turnover, r.txn, 0, 0, NANO / 2);
        int64_t ipft = part(turnover, r.ipft, 0, 0, NANO / 2);
        int64_t sebi = part(turnover, r.sebi, 0, 0, NANO / 2);
        int64_t gst = 2 * int64_t((__int128(brokerage + txn + ipft + sebi) * r.gst + NANO) / (2 * NANO));
        int64_t stamp = (part(bought, r.stamp_buy, sold, r.stamp_sell, 0) + 50) / 100 * 100;
        return brokerage + tax + txn + ipft + sebi + gst + stamp;
    }
};

struct Fill {
    int64_t symbol, bar, price;
};

struct Track {
    std::vector<int64_t> closes;
    int64_t place = 0, leaves = 0, fast = 0, slow = 0, held = 0, last = 0;
    bool full = false, known = false, above = false, due = false;
};

struct Run {
    std::vector<Fill> fills;
    std::vector<int64_t> curve;
};

Run play(const std::vector<double> &opens, const std::vector<double> &closes, int64_t symbols,
         int64_t bars, int64_t fast, int64_t slow, int64_t quantity, const Rates &rates) {
    Run run;
    run.curve.reserve(size_t(bars));
    std::vector<Track> tracks(static_cast<size_t>(symbols));
    for (Track &track : tracks) {
        track.closes.assign(size_t(slow), 0);
        track.leaves = slow - fast;
    }
    Note note;
    int64_t cash = 0, worth = 0, charges = 0;
    for (int64_t bar = 0; bar < bars; ++bar) {
        for (int64_t symbol = 0; symbol < symbols; ++symbol) {
            Track &t = tracks[size_t(symbol)];
            size_t row = size_t(bar * symbols + symbol);
            if (t.due) {
                int64_t price = std::llround(opens[row] * 100.0), value = price * quantity;
                bool buys = t.held == 0;
                cash += buys ? -value : value;
                worth -= t.held * t.last;
                t.held = buys ? quantity : 0;
                worth += t.held * t.last;
                note.trade(rates, buys, value);
                charges = note.total(rates);
                run.fills.push_back({symbol, bar, price});
                t.due = false;
            }
            int64_t close = std::llround(closes[row] * 100.0);
            worth += t.held * (close - t.last);
            t.last = close;
            t.fast += close - t.closes[size_t(t.leaves)];
            t.slow += close - t.closes[size_t(t.place)];
            t.closes[size_t(t.place)] = close;
            if (++t.leaves == slow) t.leaves = 0;
            if (++t.place == slow) {
                t.place = 0;
                t.full = true;
            }
            if (!t.full) continue;
            bool above = t.fast * slow > t.slow * fast;
            if (t.known && above == t.above) continue;
            t.due = t.known && (above || t.held != 0);
            t.above = above;
            t.known = true;
        }
        run.curve.push_back(cash + worth - charges);
    }
    return run;
}

std::vector<double> read_column(const std::string &path, size_t count) {
    std::vector<double> column(count);
    FILE *file = std::fopen(path.c_str(), "rb");
    if (!file || std::fread(column.data(), sizeof(double), count, file) != count) std::exit(1);
    std::fclose(file);
    return column;
}

void write_words(const std::string &path, const void *words, size_t count) {
    FILE *file = std::fopen(path.c_str(), "wb");
    if (!file || std::fwrite(words, sizeof(int64_t), count, file) != count) std::exit(1);
    std::fclose(file);
}

int64_t clock_time() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NANO + now.tv_nsec;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 17) return 2;
    std::string folder = argv[1];
    int64_t n[15];
    for (int at = 0; at < 15; ++at) n[at] = std::atoll(argv[at + 2]);
    Rates rates{n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14]};
    size_t count = size_t(n[0] * n[1]);
    auto opens = read_column(folder + "/open", count), closes = read_column(folder + "/close", count);
    Run run;
    for (int64_t round = 0; round < n[5]; ++round) {
        int64_t begun = clock_time();
        run = play(opens, closes, n[0], n[1], n[2], n[3], n[4], rates);
        std::printf("%lld\n", (long long)(clock_time() - begun));
    }
    write_words(folder + "/fills", run.fills.data(), run.fills.size() * 3);
    write_words(folder + "/curve", run.curve.data(), run.curve.size());
}
