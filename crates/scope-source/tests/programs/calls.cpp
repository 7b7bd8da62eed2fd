// Calls as people write them; compiled by the tests for its debug information.

namespace net {
struct Conn {
    explicit Conn(int n);
    ~Conn();
    int total() const { return first() + this->second(2); }
    int first() const;
    int second(int x) const;
    Conn &chain();
    bool operator==(const Conn &other) const;
    template <class T>
    int
    apply(T f) const
    {
        return f(n);
    }
    int n;
};

static int scale(int x) { return x * 2; }
static int scale(double x) { return static_cast<int>(x); }

Conn::Conn(int n) : n(scale(n)) {}
Conn::~Conn() { scale(n); }
int Conn::first() const { return scale(n); }
int Conn::second(int x) const { return scale(x) + scale(1.5); }
Conn &Conn::chain() { return *this; }
bool Conn::operator==(const Conn &other) const { return n == other.n; }
} // namespace net

int main(int argc, char **)
{
    net::Conn conn(argc);
    conn.chain().chain().chain();
    int sum = conn.total() +
              conn.apply([](int x) { return net::scale(x); });
    net::Conn *made = new net::Conn(2);
    if (conn == *made)
        sum += made->first();
    delete made;
    return sum + net::scale(sum ? conn.second(1) : conn.first());
}
