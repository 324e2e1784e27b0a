// The book's matching rules as a tight C++ ladder: the limit the native core is measured against.
//
// Same semantics as Book.run over a message buffer: price-time priority, self-trade prevention, used ids, displayed
// quantity and order count per level, icebergs in the record. Orders lie in one array indexed by their dense id.
// Usage: book_ladder FILE LOW HIGH REPEATS; prints "nanoseconds (CPU) hash fills refused" once per repeat.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace {

struct Message {
    uint8_t type, side;
    uint16_t owner;
    uint32_t id;
    int32_t price, quantity;
};

struct Order {
    int32_t level, open, next, prev, owner, hidden, peak, state;
};

struct Level {
    int64_t shown;
    int32_t head, tail, count, pad;
};

struct Fill {
    int64_t maker, taker, price, quantity;
};

enum State : int32_t { UNUSED, RESTING, GONE };
enum Type : uint8_t { LIMIT = 1, CANCEL, MODIFY, IOC, MARKET, FOK };

class Ladder {
  public:
    Ladder(int32_t low, int32_t high)
        : low_(low), high_(high), end_(high - low + 2), width_((end_ + 64) / 64 * 64), levels_(2 * width_),
          bits_(2 * width_ / 64), orders_(64), buy_(end_), sell_(width_ + end_) {
        fills.reserve(256);
        mark(buy_);
        mark(sell_);
    }

    std::vector<Fill> fills;

    int64_t run(const Message *m, size_t count) {
        int64_t refused = 0;
        for (const Message *end = m + count; m != end; ++m) refused += !apply(*m);
        return refused;
    }

  private:
    int32_t low_, high_, end_, width_;
    std::vector<Level> levels_;
    std::vector<uint64_t> bits_;
    std::vector<Order> orders_;
    int32_t buy_, sell_;
    bool stopped_ = false;

    bool apply(const Message &m) {
        switch (m.type) {
        case LIMIT: return enter(m, m.price, LIMIT);
        case CANCEL: return cancel(m.id);
        case MODIFY: return modify(m.id, m.price, m.quantity);
        case IOC: return enter(m, m.price, IOC);
        case MARKET: return enter(m, m.side ? low_ : high_, IOC);
        case FOK: return enter(m, m.price, FOK);
        default: return false;
        }
    }

    void mark(int32_t level) { bits_[level >> 6] |= 1ull << (level & 63); }

    int32_t next(int32_t level) const {
        size_t word = level >> 6;
        uint64_t found = bits_[word] >> (level & 63) << (level & 63);
        while (!found) found = bits_[++word];
        return int32_t(word << 6) + __builtin_ctzll(found);
    }

    int32_t rank(bool sells, int32_t price) const { return sells ? width_ + price - low_ + 1 : high_ - price + 1; }
    int32_t price(int32_t level) const { return level < width_ ? high_ - level + 1 : low_ + level - width_ - 1; }

    bool enter(const Message &m, int32_t price, Type type) {
        if (m.id < 1 || m.id > 0x7FFFFFFF || m.quantity < 1 || price < low_ || price > high_) return false;
        if (m.id >= orders_.size()) orders_.resize(std::max<size_t>(m.id + 1, 2 * orders_.size()));
        if (orders_[m.id].state != UNUSED) return false;
        int32_t level = rank(m.side, price);
        if (type == FOK && !fillable(level, m.quantity, m.owner)) {
            orders_[m.id].state = GONE;
            return true;
        }
        int32_t left = match(m.id, level, m.quantity, m.owner);
        Order &o = orders_[m.id];
        if (left == 0 || type != LIMIT || stopped_) {
            o.state = GONE;
            return true;
        }
        o.owner = m.owner;
        o.open = left;
        o.state = RESTING;
        link(m.id, level);
        return true;
    }

    bool cancel(uint32_t id) {
        if (id >= orders_.size() || orders_[id].state != RESTING) return false;
        unlink(id);
        orders_[id].state = GONE;
        return true;
    }

    bool modify(uint32_t id, int32_t price, int32_t quantity) {
        if (id >= orders_.size() || orders_[id].state != RESTING) return false;
        if (price < low_ || price > high_ || quantity < 1) return false;
        Order &o = orders_[id];
        int32_t level = rank(o.level >= width_, price);
        if (level == o.level && quantity <= o.open + o.hidden) {
            if (quantity > o.open) {
                o.hidden = quantity - o.open;
            } else {
                levels_[level].shown -= o.open - quantity;
                o.hidden = 0;
                o.open = quantity;
            }
            return true;
        }
        unlink(id);
        int32_t left = match(id, level, quantity, o.owner);
        if (left == 0 || stopped_) {
            o.state = GONE;
            return true;
        }
        show(o, left);
        link(id, level);
        return true;
    }

    static void show(Order &o, int32_t quantity) {
        o.open = o.peak && o.peak < quantity ? o.peak : quantity;
        o.hidden = quantity - o.open;
    }

    int32_t match(int32_t taker, int32_t own, int32_t left, int32_t owner) {
        stopped_ = false;
        bool buys = own < width_;
        int32_t last = buys ? width_ + end_ - own : end_ - (own - width_);
        int32_t &best = buys ? sell_ : buy_;
        while (left > 0 && best <= last) {
            Level &lv = levels_[best];
            int32_t at = lv.head;
            Order &o = orders_[at];
            if (owner && o.owner == owner) {
                stopped_ = true;
                return left;
            }
            int32_t traded = left < o.open ? left : o.open;
            left -= traded;
            fills.push_back({at, taker, price(best), traded});
            if (traded < o.open) {
                o.open -= traded;
                lv.shown -= traded;
                return left;
            }
            int32_t level = o.level;
            unlink(at);
            if (o.hidden > 0) {
                show(o, o.hidden);
                link(at, level);
            } else {
                o.state = GONE;
            }
        }
        return left;
    }

    bool fillable(int32_t own, int32_t quantity, int32_t owner) const {
        bool buys = own < width_;
        int32_t last = buys ? width_ + end_ - own : end_ - (own - width_);
        int64_t total = 0;
        for (int32_t level = buys ? sell_ : buy_; level <= last && total < quantity; level = next(level + 1)) {
            int64_t hidden = 0;
            for (int32_t at = levels_[level].head; at; at = orders_[at].next) {
                if (owner && orders_[at].owner == owner) return total >= quantity;
                total += orders_[at].open;
                hidden += orders_[at].hidden;
            }
            total += hidden;
        }
        return total >= quantity;
    }

    void link(int32_t at, int32_t level) {
        Order &o = orders_[at];
        Level &lv = levels_[level];
        o.level = level;
        o.prev = lv.tail;
        o.next = 0;
        lv.shown += o.open;
        ++lv.count;
        if (lv.tail) {
            orders_[lv.tail].next = at;
            lv.tail = at;
            return;
        }
        lv.head = lv.tail = at;
        mark(level);
        int32_t &best = level < width_ ? buy_ : sell_;
        if (level < best) best = level;
    }

    void unlink(int32_t at) {
        Order &o = orders_[at];
        Level &lv = levels_[o.level];
        lv.shown -= o.open;
        --lv.count;
        if (o.prev) orders_[o.prev].next = o.next; else lv.head = o.next;
        if (o.next) orders_[o.next].prev = o.prev; else lv.tail = o.prev;
        if (lv.head) return;
        bits_[o.level >> 6] &= ~(1ull << (o.level & 63));
        if (o.level == buy_) buy_ = next(buy_);
        else if (o.level == sell_) sell_ = next(sell_);
    }
};

uint64_t hash(const std::vector<Fill> &fills) {
    uint64_t h = 0xcbf29ce484222325ull;
    for (const Fill &f : fills)
        for (int64_t x : {f.maker, f.taker, f.price, f.quantity}) h = (h ^ uint64_t(x)) * 0x100000001b3ull;
    return h;
}

int64_t cpu_time() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1'000'000'000ll + now.tv_nsec;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    FILE *file = std::fopen(argv[1], "rb");
    if (!file) return 1;
    std::fseek(file, 0, SEEK_END);
    size_t count = size_t(std::ftell(file)) / sizeof(Message);
    std::rewind(file);
    std::vector<Message> messages(count);
    if (std::fread(messages.data(), sizeof(Message), count, file) != count) return 1;
    std::fclose(file);
    for (int repeat = std::atoi(argv[4]); repeat > 0; --repeat) {
        int64_t begin = cpu_time();
        Ladder book(std::atoi(argv[2]), std::atoi(argv[3]));
        int64_t refused = book.run(messages.data(), count);
        int64_t end = cpu_time();
        std::printf("%lld %llu %zu %lld\n", (long long)(end - begin),
                    (unsigned long long)hash(book.fills), book.fills.size(), (long long)refused);
    }
}
